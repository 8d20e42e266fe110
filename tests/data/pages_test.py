"""Each page of a TIFF file as an image of its own."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from simclr_tf.cli.main import main
from simclr_tf.data import (
    DataError,
    ImageForm,
    MissingSplit,
    evaluation_batches,
    load,
    load_for_pretraining,
    load_train_and_test,
)
from simclr_tf.data.formats import decode_file
from simclr_tf.data.formats.tiff import picture_pages

_COUNT = 5  # stacks of each class
_STACKS = {
    f"{label}/{number}.tif": np.random.default_rng(seed).integers(
        0, 4096, [2 + number % 3, 9, 9]
    )
    for seed, (label, number) in enumerate(
        (label, number) for label in "ab" for number in range(_COUNT)
    )
}
_STATED = ImageForm(value_range=(0.0, 4095.0))


@pytest.fixture
def stacks(tmp_path):
    """Stacks of 12 bits of several pages, and one picture in a file of its own."""
    for name, pages in _STACKS.items():
        path = tmp_path / "stacks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pages.astype(np.uint16), photometric="minisblack")
    Image.new("RGB", (9, 9), (40, 80, 120)).save(tmp_path / "stacks" / "a" / "one.png")
    return tmp_path / "stacks"


def _seen(source):
    """Evaluation views of the images' own size, in their order."""
    batches = evaluation_batches(source, batch_size=16, image_size=9)
    return np.concatenate([batch["image"] for batch in batches])


def _grey(pages):
    return np.repeat(np.round(pages[..., None] * (255 / 4095)) / 255, 3, -1)


def test_count_labels_names_and_groups(stacks, capfd):
    source = load(f"pages:{stacks}", image_size=9, form=_STATED)
    assert "28 pages of 10 TIFF files are images of their own" in capfd.readouterr().err
    expected = [
        f"{stacks / name}[{page}]"
        for name, pages in _STACKS.items()
        for page in range(len(pages))
    ]
    expected.insert(14, str(stacks / "a" / "one.png"))
    assert source.paths == expected
    assert len(source) == 29
    assert source.class_names == ["a", "b"]
    np.testing.assert_array_equal(source.labels(), [0] * 15 + [1] * 14)
    groups = source.groups()
    for (path, group), (other, theirs) in zip(
        zip(source.paths, groups), zip(source.paths[1:], groups[1:])
    ):
        assert (group == theirs) == (path.split("[")[0] == other.split("[")[0])
    first = load(f"folder:{stacks}", image_size=9, form=_STATED)
    assert (len(first), first.groups()) == (11, None)
    assert len({*first.identity()} & {*source.identity()}) == 1  # The PNG.


@pytest.mark.slow
def test_each_page_is_read_as_it_is(stacks):
    source = load(f"pages:{stacks}", image_size=9, form=_STATED)
    seen = np.delete(_seen(source), 14, 0)
    expected = _grey(np.concatenate([*_STACKS.values()]))
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@pytest.mark.slow
def test_pages_of_one_file_are_never_on_both_sides(stacks):
    spec = f"pages:{stacks}"
    train, test = load_train_and_test(spec, image_size=9, form=_STATED)
    assert len(train) + len(test) == 29
    sides = [{path.split("[")[0] for path in part.paths} for part in (train, test)]
    assert not sides[0] & sides[1]
    assert {path.split("/")[-2] for path in sides[1]} == {"a", "b"}
    assert len(sides[1]) == 2  # A fifth of the files of each class.
    data = load_for_pretraining(spec, image_size=9, labels=True, form=_STATED)
    assert (data.train.paths, data.queries.paths) == (train.paths, test.paths)


def test_of_one_file_a_class_none_is_held_out(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        pages = np.full([4, 9, 9], 200, np.uint8)
        tifffile.imwrite(tmp_path / label / "a.tif", pages, photometric="minisblack")
    with pytest.raises(MissingSplit, match="no class has two files"):
        load_train_and_test(f"pages:{tmp_path}", image_size=9)


def test_a_file_whose_pages_cannot_be_told_is_passed_over(stacks, capfd):
    cut = stacks / "b" / "3.tif"
    # The first page is whole, and those that should follow it are gone.
    contents = cut.read_bytes()
    with tifffile.TiffFile(cut) as file:
        cut.write_bytes(contents[: file.pages[1].offset])
    source = load(f"pages:{stacks}", image_size=9, form=_STATED)
    said = capfd.readouterr().err
    assert "passed over 1 of 11 files whose pages cannot be told" in said
    assert (
        "3.tif (its chain of pages breaks off after 1: the file was cut short)" in said
    )
    assert str(cut) in source.skipped
    assert len(source) == 29 - len(_STACKS["b/3.tif"])
    (stacks / "b" / "2.tif").write_bytes(cut.read_bytes())
    with pytest.raises(DataError, match="2 of 11 files cannot be read, more than 10%"):
        load(f"pages:{stacks}", image_size=9, form=_STATED)


@pytest.mark.slow
def test_a_bad_page_is_named_with_its_number_and_its_place_filled(stacks, capfd):
    source = load(f"pages:{stacks}", image_size=9, form=_STATED)
    path = stacks / "b" / "4.tif"
    with tifffile.TiffFile(path) as file:
        (place,), (size,) = file.pages[1].dataoffsets, file.pages[1].databytecounts
    contents = bytearray(path.read_bytes())
    contents[place : place + size] = b"\xff" * size
    path.write_bytes(contents)
    seen = _seen(source)
    bad = source.paths.index(f"{path}[1]")
    assert source.unreadable().tolist() == [bad]
    assert "4.tif[1] (TIFF: it has values out of" in capfd.readouterr().err
    np.testing.assert_allclose(seen[bad - 1], _grey(_STACKS["b/4.tif"])[0], atol=1e-6)


@pytest.mark.slow
def test_prepare_writes_each_page(stacks, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "out"
    command = ["prepare", f"--dataset=pages:{stacks}", "--value_range=0,4095"]
    assert main([*command, f"--output={output}"]) == 0
    before = load(f"pages:{stacks}", image_size=9, form=_STATED)
    after = load(f"tfrecord:{output}", image_size=9)
    np.testing.assert_array_equal(after.labels(), before.labels())
    np.testing.assert_allclose(_seen(after), _seen(before), atol=1e-6)


def test_smaller_forms_of_other_pages_are_no_images():
    written = io.BytesIO()
    with tifffile.TiffWriter(written) as tiff:
        for kind in (0, 1, 0):
            tiff.write(np.full([8, 8], 50 + kind, np.uint8), subfiletype=kind)
    assert picture_pages(written) == [0, 2]
    assert np.all(decode_file(written.getvalue()) == 50)


def test_nearly_black_pages_are_refused(stacks):
    with pytest.raises(DataError, match="nearly black"):
        load(f"pages:{stacks}", image_size=9)


def test_without_pages_it_is_the_folder(tmp_path):
    for place in range(3):
        image = tf.fill([9, 9, 3], tf.constant(place, tf.uint8))
        tf.io.write_file(str(tmp_path / f"{place}.png"), tf.io.encode_png(image))
    source = load(f"pages:{tmp_path}", image_size=9)
    assert source.groups() is None
    assert source.paths == load(f"folder:{tmp_path}", image_size=9).paths
