"""A name in a list is a file's whole path, or the end of it, and never a guess."""

import os

import pytest

from simclr_tf.data import DataError
from simclr_tf.data.named_files import NamedFiles

_FILES = [
    "photos/a/1.jpg",
    "photos/b/2.jpg",
    "photos/b/a/1.jpg",
    "photos/b/photos/a/1.jpg",
    "photos/.hidden/x.jpg",
    "photos/hidden/x.jpg",
    "photos/..x/x.jpg",
    "photos/b/x.jpg",
]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("2.jpg", "photos/b/2.jpg"),
        ("b/2.jpg", "photos/b/2.jpg"),
        ("./b/2.jpg", "photos/b/2.jpg"),
        ("/b/2.jpg", "photos/b/2.jpg"),
        ("a/../b/2.jpg", "photos/b/2.jpg"),
        # A whole path before what only ends in it, and so a path below the root.
        ("photos/a/1.jpg", "photos/a/1.jpg"),
        ("./photos/a/1.jpg", "photos/a/1.jpg"),
        (os.path.abspath("photos/a/1.jpg"), "photos/a/1.jpg"),
        ("a/1.jpg", "photos/a/1.jpg"),
        ("b/a/1.jpg", "photos/b/a/1.jpg"),
        # Points at the beginning of a name are a part of it.
        (".hidden/x.jpg", "photos/.hidden/x.jpg"),
        ("./.hidden/x.jpg", "photos/.hidden/x.jpg"),
        ("hidden/x.jpg", "photos/hidden/x.jpg"),
        ("..x/x.jpg", "photos/..x/x.jpg"),
        ("9.jpg", None),
    ],
)
def test_a_name_stands_for_one_file(name, file):
    assert NamedFiles(_FILES).place_of(name) == (_FILES.index(file) if file else -1)


@pytest.mark.parametrize("name", ["a/2.jpg", "../b/2.jpg", "/data/b/2.jpg", "bb/2.jpg"])
def test_other_folders_than_the_files_are_told_though_its_name_is_the_only_one(name):
    with pytest.raises(DataError, match=r"lies in another folder: photos/b/2\.jpg\.$"):
        NamedFiles(_FILES).place_of(name)


@pytest.mark.parametrize("name", ["1.jpg", "./x.jpg"])
def test_a_name_of_several_files_is_told(name):
    with pytest.raises(DataError, match=r"the name of \d images, such as photos/"):
        NamedFiles(_FILES).place_of(name)


def test_paths_below_the_folder_of_all_come_first_wherever_it_is():
    for folder in ("", "/", "photos/", "/data/photos/", "gs://bucket/photos/"):
        files = [f"{folder}{name}" for name in ("c/b/1.jpg", "b/1.jpg", "c/2.jpg")]
        assert NamedFiles(files).place_of("b/1.jpg") == 1


def test_files_elsewhere_are_found_by_whole_paths_and_ends():
    files = ["gs://bucket/photos/a/1.jpg", "gs://bucket/photos/b/1.jpg"]
    for name in ("gs://bucket/photos/b/1.jpg", "photos/b/1.jpg", "b/1.jpg"):
        assert NamedFiles(files).place_of(name) == 1
