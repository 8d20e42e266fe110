"""What a command writes: checked at its start, and replaced whole."""

import pytest

from simclr_tf.cli import output
from simclr_tf.cli.command import UsageError


def test_a_folder_that_does_not_exist_is_made_and_nothing_left_in_it(tmp_path):
    path = tmp_path / "new" / "deeper" / "h.npz"
    output.require_writable_file(str(path))
    assert list((tmp_path / "new" / "deeper").iterdir()) == []
    output.write(str(path), b"data")
    assert path.read_bytes() == b"data"
    assert list(path.parent.iterdir()) == [path]


def test_a_check_leaves_what_is_there(tmp_path):
    path = tmp_path / "h.npz"
    path.write_bytes(b"old")
    output.require_writable_file(str(path))
    assert path.read_bytes() == b"old"


def test_a_name_without_a_folder_is_of_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output.require_writable_file("h.npz")
    output.write("h.npz", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["h.npz"]


@pytest.mark.parametrize("name", ["file/h.npz", "folder", "new/", "", "\0"])
def test_what_cannot_be_written_is_a_mistake(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="--output"):
        output.require_writable_file(f"{tmp_path}/{name}" if name else "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "view.png"
    path.write_bytes(b"old")

    def draw(aside):
        with open(aside, "wb") as file:
            file.write(b"half")
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError), output.replacing(str(path)) as aside:
        draw(aside)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
