"""A file is replaced by a whole one, or stays as it was."""

import os

import pytest
import tensorflow as tf

from simclr_tf import whole_files


@pytest.fixture(params=["local", "remote"])
def folder(request, tmp_path):
    if request.param == "local":
        return str(tmp_path)
    tf.io.gfile.makedirs(f"ram://{tmp_path.name}")
    return f"ram://{tmp_path.name}"


def _read(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("contents", ["text", b"\x00bytes"])
def test_a_file_is_made_and_replaced(folder, contents):
    path = os.path.join(folder, "file")
    whole_files.replace_file(path, "before")
    whole_files.replace_file(path, contents)
    assert _read(path) == (contents.encode() if contents == "text" else contents)
    assert tf.io.gfile.listdir(folder) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_where_writing_fails_all_is_as_before(folder, error):
    path = os.path.join(folder, "file")
    whole_files.replace_file(path, "before")

    def fail():
        with whole_files.replacing_file(path) as aside:
            whole_files.replace_file(aside, "half")
            raise error("no space left")

    with pytest.raises(error):
        fail()
    assert _read(path) == b"before"
    assert tf.io.gfile.listdir(folder) == ["file"]


def test_two_writers_do_not_share_an_unfinished_file(tmp_path):
    path = str(tmp_path / "file")
    with whole_files.replacing_file(path) as one:
        with whole_files.replacing_file(path) as other:
            for aside, text in ((one, "one"), (other, "other")):
                with open(aside, "w") as file:
                    file.write(text)
        assert _read(path) == b"other"
    assert _read(path) == b"one"


def test_what_a_dead_process_left_goes_and_nothing_else(tmp_path):
    path = str(tmp_path / "file")
    for name in (whole_files.aside_of(path), path, tmp_path / ".hidden"):
        open(name, "w").close()
    whole_files.remove_unfinished(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [".hidden", "file"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "a"), "No such file or dir"),
        (OSError("plain"), "plain"),
        (tf.errors.PermissionDeniedError(None, None, "a/b; Permission denied"), "Perm"),
        (OSError(), "OSError"),
    ],
)
def test_an_error_says_why_without_the_path(error, said):
    assert whole_files.why(error).startswith(said)
