"""Files are listed once, and what systems leave beside pictures is nobody's class."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import DataError, MissingSplit, load
from simclr_tf.data.candidates import split_by_content
from simclr_tf.data.listing import File, list_files
from simclr_tf.data.split_folders import like_no_class


def _save(path, form="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, [9, 11, 3], np.uint8)
    Image.fromarray(pixels).save(path, form)


def test_each_file_has_its_size_and_time(tmp_path):
    _save(tmp_path / "b" / "deep" / "x.png")
    (tmp_path / "a.txt").write_text("12345")
    status = os.stat(tmp_path / "a.txt")
    first, second = list_files(str(tmp_path))
    assert first == File(str(tmp_path / "a.txt"), "a.txt", 5, status.st_mtime_ns, None)
    assert second.name == os.path.join("b", "deep", "x.png")


def test_a_remote_file_system_gives_the_same():
    for name in ("cat/a.png", ".hidden/b.png", "dog/__MACOSX/c.png", "dog/d.png"):
        tf.io.gfile.makedirs(f"ram://listing/{os.path.dirname(name)}")
        tf.io.write_file(f"ram://listing/{name}", "12345")
    found = list_files("ram://listing")
    assert [(file.name, file.size) for file in found] == [
        ("cat/a.png", 5),
        ("dog/d.png", 5),
    ]


def test_what_systems_leave_behind_is_nobodys_class(tmp_path, capsys):
    for name in ("cat", "dog", "@eaDir", "__MACOSX", ".thumbnails", "#recycle"):
        _save(tmp_path / name / "x.png")
    _save(tmp_path / "cat" / "@eaDir" / "x.png")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "cat" / "desktop.ini").write_bytes(b"x")
    source = load(f"folder:{tmp_path}", image_size=8)
    assert source.class_names == ["cat", "dog"]
    assert len(source) == 2
    assert source.skipped == {}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("train", "test"), [("Train", "TEST"), ("train", "Valid"), ("TRAIN", "Validation")]
)
def test_splits_may_be_written_in_any_case(tmp_path, train, test):
    _save(tmp_path / train / "a.png")
    _save(tmp_path / test / "b.png")
    _save(tmp_path / test / "c.png")
    assert len(load(f"folder:{tmp_path}", "train")) == 1
    assert len(load(f"folder:{tmp_path}", "test")) == 2


def test_several_folders_are_one_data_set(tmp_path):
    for name in ("one/cat/x.png", "one/dog/x.png", "two/cat/x.png", "two/emu/x.png"):
        _save(tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    source = load(f"folder:{one},{two}", image_size=8)
    assert source.class_names == ["cat", "dog", "emu"]
    np.testing.assert_array_equal(source.labels(), [0, 1, 0, 2])
    assert len({*source.identity()}) == 4
    with pytest.raises(DataError, match="nothing is no folder"):
        load(f"folder:{one},{tmp_path / 'nothing'}")
    _save(tmp_path / "with,comma" / "x.png")
    assert len(load(f"folder:{tmp_path / 'with,comma'}", image_size=8)) == 1


def test_a_list_names_files_and_classes(tmp_path):
    for name in ("a.png", "b.png", "sub/c.png", "d.png"):
        _save(tmp_path / name)
    lines = ["sub/c.png\tdog", "", "a.png\tcat", "b.png", "d.png\tunlabelled"]
    (tmp_path / "files.txt").write_text("\n".join(lines))
    source = load(f"list:{tmp_path / 'files.txt'}", image_size=8)
    assert [os.path.basename(path) for path in source.paths] == [
        *("c.png", "a.png", "b.png", "d.png")
    ]
    assert source.class_names == ["cat", "dog"]
    np.testing.assert_array_equal(source.labels(), [1, 0, -1, -1])
    with pytest.raises(MissingSplit, match="is one split"):
        load(f"list:{tmp_path / 'files.txt'}", "test")
    (tmp_path / "test.txt").write_text("a.png\tcat\nb.png\tdog\n")
    assert len(load(f"list:{tmp_path / '{split}.txt'}", "test", image_size=8)) == 2
    (tmp_path / "gone.txt").write_text("a.png\nnothing.png\n")
    with pytest.raises(DataError, match=r"nothing\.png .there is no such file"):
        load(f"list:{tmp_path / 'gone.txt'}")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "pipes.txt").write_text("a.png\npipe.png\n")
    with pytest.raises(DataError, match=r"pipe\.png .it is a named pipe"):
        load(f"list:{tmp_path / 'pipes.txt'}")
    with pytest.raises(DataError, match="cannot be read as a list"):
        load(f"list:{tmp_path / 'none.txt'}")


def test_images_are_found_by_their_content(tmp_path):
    for place in range(30):
        _save(tmp_path / f"{place}.scan", "TIFF" if place % 2 else "PNG")
        (tmp_path / f"{place}.txt").write_text("no picture")
        _save(tmp_path / f"1.2.840.{place}", "WEBP")
    _save(tmp_path / "1.mixed")
    (tmp_path / "2.mixed").write_text("no picture")
    images, others = split_by_content(list_files(str(tmp_path)))
    assert len(images) == 61
    assert {os.path.splitext(file.name)[1] for file in others} == {".txt", ".mixed"}


def test_what_was_taken_for_a_class_is_said(tmp_path):
    for name in ("2021", "2021-05 Rome", "cat", "from phone"):
        _save(tmp_path / name / "x.png")
    note = load(f"folder:{tmp_path}", image_size=8).class_note
    assert note == (
        f"Classes: 2021, 2021-05 Rome, cat, from phone; the subfolders of {tmp_path}. "
        "2021, 2021-05 Rome, from phone may say when or whence, and not what is shown: "
        "--nolabels does without classes."
    )
    assert load(f"folder:{tmp_path}", image_size=8, labels=False).class_note == ""


def test_names_of_things_are_no_dates():
    things = [
        "cat",
        "1",
        "05",
        "007",
        "n01440764",
        "20 euro",
        "747",
        "class_1",
        "oldman",
    ]
    assert like_no_class(things) == []
    times = ["2021", "2021-05", "2021_05_17", "17.05.2021", "100CANON", "DCIM"]
    assert like_no_class(times) == times
