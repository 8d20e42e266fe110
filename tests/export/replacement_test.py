"""A folder is replaced by a whole one, or stays as it was."""

import os

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export.replacement import NEW, replacing


def write(path, text):
    with tf.io.gfile.GFile(str(path), "w") as file:
        file.write(text)


def fill(folder, text):
    write(os.path.join(folder, "simclr.json"), text)
    tf.io.gfile.makedirs(os.path.join(folder, "variables"))
    write(os.path.join(folder, "variables", "data"), text)
    write(os.path.join(folder, "saved_model.pb"), text)


def contents(folder):
    """The text of each file below a folder, by its path."""
    found = {}
    for parent, _, names in tf.io.gfile.walk(str(folder)):
        for name in names:
            path = os.path.join(parent, name)
            with tf.io.gfile.GFile(path) as file:
                found[path[len(str(folder)) :].lstrip("/")] = file.read()
    return found


def of(text):
    names = ("simclr.json", "variables/data", "saved_model.pb")
    return dict.fromkeys(names, text)


def a_folder_beside(tmp_path, monkeypatch):
    return str(tmp_path / "encoder")


def with_a_slash(tmp_path, monkeypatch):
    return f"{tmp_path}/encoder/"


def the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return "."


def a_link(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "encoder").symlink_to(tmp_path / "there")
    return str(tmp_path / "encoder")


def a_remote_folder(tmp_path, monkeypatch):
    return f"ram://{tmp_path.name}/encoder"


PLACES = [a_folder_beside, the_current_folder, a_link, a_remote_folder]


@pytest.mark.parametrize("place", [*PLACES, with_a_slash])
def test_a_folder_is_made_and_replaced(place, tmp_path, monkeypatch):
    path = place(tmp_path, monkeypatch)
    with replacing(path) as folder:
        fill(folder, "first")
    assert contents(path) == of("first")
    write(os.path.join(path, "leftover"), "of the first")
    # What a killed export leaves.
    beside = place in (a_folder_beside, with_a_slash)
    leftover = f"{path.rstrip('/')}{NEW}" if beside else os.path.join(path, NEW)
    tf.io.gfile.makedirs(leftover)
    write(os.path.join(leftover, "half"), "written")
    with replacing(path) as folder:
        assert contents(folder) == {}
        assert contents(path)["saved_model.pb"] == "first"
        fill(folder, "second")
    assert contents(path) == of("second")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, ZeroDivisionError])
def test_what_was_there_stays_where_filling_fails(place, error, tmp_path, monkeypatch):
    path = place(tmp_path, monkeypatch)
    with replacing(path) as folder:
        fill(folder, "first")

    def fail():
        with replacing(path) as folder:
            write(os.path.join(folder, "saved_model.pb"), "half")
            raise error("no space left")

    with pytest.raises(error, match="no space left"):
        fail()
    assert contents(path) == of("first")
    if place is a_folder_beside:
        assert os.listdir(tmp_path) == ["encoder"]


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "encoder")
    with pytest.raises(UserError, match="file/encoder cannot be written"):  # noqa: SIM117
        with replacing(path):
            pass
