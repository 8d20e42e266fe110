"""A file that does not decode gives its place to another, and training goes on."""

import json
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import DataError, Subset, data_errors, folder, load
from simclr_tf.data.filling import _stride
from simclr_tf.data.listing import File, list_files
from simclr_tf.data.verdicts import Verdicts
from tests import sample_images

pytestmark = pytest.mark.slow

_COUNT = 40


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """Pictures of two classes, of which three decode only in part."""
    monkeypatch.setattr(folder, "LOOKED_AT", 2)
    for place in range(_COUNT):
        path = tmp_path / "photos" / "ab"[place % 2] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([9, 9, 3], 6 * place, np.uint8)).save(path)
    source = load(f"folder:{tmp_path / 'photos'}", image_size=8)
    assert len(source) == _COUNT
    spoiled = [3, 4, 21]
    for place in spoiled:
        _spoil(source.paths[place])
    return tmp_path / "photos", spoiled


def _spoil(path):
    """Another byte in the pixels, whose checksum is then wrong."""
    path = pathlib.Path(path)
    contents = bytearray(path.read_bytes())
    place = contents.index(b"IDAT") + 12
    contents[place] ^= 0xFF
    path.write_bytes(contents)


def _load(path):
    return load(f"folder:{path}", image_size=8)


def _read(source, batch=None):
    batch = batch or len(source)
    # Batches of a known size are read at half the cost.
    whole = len(source) % batch == 0
    places = tf.data.Dataset.range(len(source)).batch(batch, drop_remainder=whole)
    batches = list(source.read(places))
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def test_another_image_takes_the_place_and_is_no_ones_label(damaged, tmp_path, capsys):
    """And what is known of bad files changes no batch."""
    path, spoiled = damaged
    source, kept_in = _load(path), str(tmp_path / "images.jsonl")
    source.verdicts.keep_in(kept_in)
    assert capsys.readouterr().err.count("cannot be read") == 0
    made = _read(source)
    source.verdicts.close()
    np.testing.assert_array_equal(made["index"], np.arange(_COUNT))
    expected = source.labels().copy()
    expected[spoiled] = -1
    np.testing.assert_array_equal(made["label"], expected)
    for place in spoiled:
        instead = place
        while instead in spoiled:
            instead = (instead + _stride(_COUNT)) % _COUNT
        np.testing.assert_array_equal(made["image"][place], made["image"][instead])
    np.testing.assert_array_equal(source.unreadable(), spoiled)
    said = capsys.readouterr().err
    assert said.count("another image takes its place") == len(spoiled)
    assert os.path.basename(source.paths[spoiled[0]]) in said
    assert f"3 of 40 files cannot be read; {kept_in} names them all" in said
    lines = pathlib.Path(kept_in).read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["path"] for line in lines] == [source.paths[p] for p in spoiled]
    assert all(line["verdict"] not in ("", "good") for line in lines)

    again = _load(path)
    again.verdicts.keep_in(kept_in)
    np.testing.assert_array_equal(again.unreadable(), spoiled)
    for name, values in _read(again, batch=8).items():
        np.testing.assert_array_equal(values, made[name])
    assert "another image" not in capsys.readouterr().err  # They were not tried again.

    # One that was mended is.
    Image.new("RGB", (7, 7)).save(source.paths[spoiled[0]])
    mended = _load(path)
    mended.verdicts.keep_in(kept_in)
    np.testing.assert_array_equal(mended.unreadable(), spoiled[1:])


def test_a_file_whose_crops_decode_in_part_gives_the_same_once_it_is_known(tmp_path):
    for place in range(12):
        path = tmp_path / "photos" / f"{place:02}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(sample_images.photo(64, 48 + place)).save(path)
    bad = tmp_path / "photos" / "05.jpg"
    contents = bad.read_bytes()
    # A second header in the middle ends the decoding there.
    header, scan = contents.index(b"\xff\xc0"), contents.index(b"\xff\xda")
    middle = (scan + len(contents)) // 2
    bad.write_bytes(contents[:middle] + contents[header:scan] + contents[middle:])

    def crop(contents, one):
        window = tf.stack([48 * tf.cast(one["epoch"], tf.int32), 0, 16, 32])
        pixels = tf.io.decode_and_crop_jpeg(contents, window, channels=3)
        return {"crop": tf.ensure_shape(pixels, [16, 32, 3])}

    asked = tf.data.Dataset.range(24).map(
        lambda number: {"index": number % 12, "epoch": number // 12}
    )

    def crops(source):
        made = list(source.read_files(asked.batch(6, drop_remainder=True), crop))
        return np.concatenate([batch["crop"] for batch in made])

    source, known = _load(tmp_path / "photos"), _load(tmp_path / "photos")
    assert len(source) == 12
    known.verdicts.check_all()
    np.testing.assert_array_equal(known.unreadable(), [5])
    made = crops(source)
    np.testing.assert_array_equal(source.unreadable(), [5])
    upper = crop(contents, {"epoch": 0})["crop"]
    np.testing.assert_array_equal(made[5], upper)
    instead = (5 + _stride(12)) % 12
    np.testing.assert_array_equal(made[17], made[12 + instead])
    np.testing.assert_array_equal(crops(known), made)


def test_two_data_sets_may_keep_their_verdicts_in_one_file(tmp_path):
    kept_in, both = str(tmp_path / "images_train.jsonl"), []
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no picture")
        others = [File(f"{place}.png", f"{place}.png", 1, 1) for place in range(9)]
        both.append([*list_files(str(tmp_path / name)), *others])
    for files in both:
        verdicts = Verdicts(files, "folder:x", "train")
        verdicts.keep_in(kept_in)
        verdicts.found_bad(0)
        verdicts.close()
    for files in both:
        verdicts = Verdicts(files, "folder:x", "train")
        verdicts.keep_in(kept_in, write=False)
        assert list(verdicts.bad) == [files[0].path]


def test_a_file_that_decodes_after_all_is_not_replaced(tmp_path):
    Image.new("RGB", (7, 7)).save(tmp_path / "x.png")
    verdicts = Verdicts(list_files(str(tmp_path)), "folder:x", "train")
    with pytest.raises(DataError, match=r"x\.png could not be read twice, and then it"):
        verdicts.found_bad(0)
    assert "Start the command again" in verdicts.fault()
    assert not verdicts.bad


def test_a_full_look_finds_the_same_and_is_not_done_twice(damaged, tmp_path, capsys):
    path, spoiled = damaged
    source = _load(path)
    source.verdicts.keep_in(str(tmp_path / "images.jsonl"))
    source.verdicts.check_all()
    np.testing.assert_array_equal(source.unreadable(), spoiled)
    said = capsys.readouterr().err
    assert "all 40 files were decoded, and 3 of them cannot be read: " in said
    again = _load(path)
    again.verdicts.keep_in(str(tmp_path / "images.jsonl"))
    for file in again.paths:
        os.chmod(file, 0o000)
        os.unlink(file)
    again.verdicts.check_all()
    np.testing.assert_array_equal(again.unreadable(), spoiled)


def test_a_part_knows_its_own_bad_places(damaged):
    path, spoiled = damaged
    part = Subset(_load(path), np.array([5, spoiled[1], 9, spoiled[0]]), "part")
    made = _read(part)
    np.testing.assert_array_equal(part.unreadable(), [1, 3])
    np.testing.assert_array_equal(made["label"] < 0, [False, True, False, True])


@pytest.mark.parametrize("bad", [5, pytest.param(_COUNT, marks=pytest.mark.exhaustive)])
def test_more_than_a_tenth_ends_the_reading(damaged, bad):
    path, spoiled = damaged
    source = _load(path)
    left = [place for place in range(_COUNT) if place not in spoiled]
    for place in left[: bad - len(spoiled)]:
        size = os.path.getsize(source.paths[place])
        _spoil(source.paths[place])
        assert os.path.getsize(source.paths[place]) == size
    message = r"of 40 images cannot be read, more than 10%.*Repair or remove them"
    with pytest.raises(DataError, match=message), data_errors(source):
        _read(source)
    with pytest.raises(DataError, match=f"{bad} of 40"):
        source.verdicts.check_all()
