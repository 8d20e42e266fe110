"""TFRecord files give what was written, and what is wrong with them is told."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data.failures import data_errors
from simclr_tf.data.image_files import canvas_size, to_canvas
from simclr_tf.data.source import DataError, MissingSplit
from simclr_tf.data.subset import Subset
from simclr_tf.data.tfrecord import load_tfrecord
from tests.data.record_files import (
    make_example,
    make_jpegs,
    read_all,
    write_images,
    write_records,
)

pytestmark = pytest.mark.slow

_FILES, _PER_FILE, _SIZE = 3, 5, 32


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return make_jpegs(15)


@pytest.fixture
def folder(tmp_path, jpegs):
    """Three files, labelled 1 to 15."""
    for file in range(_FILES):
        first = file * _PER_FILE
        write_images(
            tmp_path / f"train-{file:05d}-of-{_FILES:05d}",
            jpegs[first : first + _PER_FILE],
            list(range(first + 1, first + _PER_FILE + 1)),
        )
    return tmp_path


def _load(folder, pattern="train-*", split="train", labels=True):
    return load_tfrecord(str(folder / pattern), split, _SIZE, labels)


def test_it_says_what_it_holds(folder):
    source = _load(folder)
    canvas = canvas_size(_SIZE)
    assert len(source) == 15
    assert source.num_classes == 16
    assert source.image_shape == (canvas, canvas, 3)
    assert source.spec == f"tfrecord:{folder}/train-*"


def test_images_labels_and_indices_belong_together(folder, jpegs):
    """Of a part of it too, which is a source in an order of its own."""
    source = _load(folder)
    order = np.random.default_rng(0).permutation(15)[:13]
    part = Subset(source, order, "part")
    examples = list(part.read(tf.data.Dataset.range(13).batch(4)).unbatch())
    assert [int(example["index"]) for example in examples] == order.tolist()
    for example in examples:
        index = int(example["index"])
        image, size = to_canvas(jpegs[index], canvas_size(_SIZE))
        np.testing.assert_array_equal(example["image"], image)
        np.testing.assert_array_equal(example["size"], size)
        assert int(example["label"]) == index + 1
    assert source.labels().tolist() == list(range(1, 16))
    assert part.labels().tolist() == [index + 1 for index in order]


def test_the_fingerprint_is_of_the_contents(folder, jpegs, tmp_path_factory):
    first = _load(folder).fingerprint()
    assert first == _load(folder).fingerprint()
    copy = tmp_path_factory.mktemp("copy")
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert _load(copy).fingerprint() == first
    # The same sizes and labels, two images in each other's places.
    swapped = [jpegs[1], jpegs[0], *jpegs[2:_PER_FILE]]
    write_images(copy / "train-00000-of-00003", swapped, range(1, _PER_FILE + 1))
    assert _load(copy).fingerprint() != first


def test_the_short_names_of_features(tmp_path, jpegs):
    write_images(
        tmp_path / "a.tfrecord", jpegs[:4], [0, 2, 1, 0], keys=("image", "label")
    )
    source = _load(tmp_path, "*.tfrecord")
    assert source.num_classes == 3
    assert source.labels().tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("written", "asked"), [(None, True), ([0, 1], False), ([-1, -1], True)]
)
def test_no_labels(tmp_path, jpegs, written, asked):
    write_images(tmp_path / "a", jpegs[:2], written)
    source = _load(tmp_path, "a", labels=asked)
    assert source.num_classes is None
    assert source.labels() is None
    if asked:  # To look at what is read takes seconds.
        return
    assert "label" not in source.read(tf.data.Dataset.range(2).batch(2)).element_spec


def test_records_hold_files_of_every_kind(tmp_path, jpegs):
    image = tf.io.decode_jpeg(jpegs[0])
    files = [tf.io.encode_png(image).numpy(), jpegs[0]]
    for form, mode in (("BMP", "RGB"), ("GIF", "P"), ("JPEG", "CMYK"), ("PNG", "1")):
        file = io.BytesIO()
        Image.fromarray(image.numpy()).convert(mode).save(file, form)
        files.append(file.getvalue())
    write_images(tmp_path / "a", files, list(range(6)))
    examples = read_all(_load(tmp_path, "a"))
    assert [int(example["label"]) for example in examples] == list(range(6))
    for example in examples:
        np.testing.assert_array_equal(example["size"], image.shape[:2])
    first = examples[0]["image"].numpy().astype(int)
    np.testing.assert_array_equal(examples[2]["image"], first)
    # Of a JPEG no more is decoded than the canvas takes.
    assert np.abs(examples[1]["image"].numpy() - first).mean() < 3


def test_an_image_cut_short_inside_its_record_is_named(folder, jpegs):
    write_images(folder / "train-cut", [jpegs[0], jpegs[0][:700]], [1, 2])
    with pytest.raises(DataError, match=r"train-cut: the image of record 1 .*decoded"):
        _load(folder)


def test_bytes_after_an_image_are_allowed(tmp_path, jpegs):
    write_images(tmp_path / "a", [jpegs[0] + b"\0\0", jpegs[1]], [0, 1])
    assert len(read_all(_load(tmp_path, "a"))) == 2


@pytest.mark.parametrize("name", ["test", "validation"])
def test_the_split_is_put_into_the_glob(folder, jpegs, name):
    write_images(folder / f"{name}-00000-of-00001", jpegs[:2], [1, 2])
    assert len(_load(folder, "{split}-*")) == 15
    assert len(_load(folder, "{split}-*", split="test")) == 2


@pytest.mark.parametrize("pattern", ["train-*", "{split}-*"])
def test_no_test_split(folder, pattern):
    with pytest.raises(MissingSplit, match="test"):
        _load(folder, pattern, split="test")


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"No file matches .*nothing-\*"):
        _load(tmp_path, "nothing-*")


def test_no_records(tmp_path):
    write_images(tmp_path / "a", [])
    with pytest.raises(DataError, match="hold no records"):
        _load(tmp_path, "a")


@pytest.mark.parametrize("file", [0, 2])
def test_a_damaged_file_is_named(folder, file):
    path = folder / f"train-{file:05d}-of-{_FILES:05d}"
    path.write_bytes(path.read_bytes()[:-100])
    (folder / "short").write_bytes(b"not a record at all")
    with pytest.raises(DataError, match=f"{path.name} was cut short"):
        _load(folder)
    with pytest.raises(DataError, match="short cannot be read") as caught:
        _load(folder, "short")
    assert "{" not in str(caught.value)


def test_a_record_that_is_no_image_is_named(folder, jpegs):
    write_images(folder / "train-bad", [jpegs[0], b"", b"nonsense"], [1, 2, 3])
    with pytest.raises(DataError, match=r"train-bad: the image of record 1 .*JPEG"):
        _load(folder)


def test_a_record_without_its_label_is_named(folder, jpegs):
    write_images(folder / "train-bad", [jpegs[0]])
    with pytest.raises(DataError, match=r"train-bad .*record 0 .*image/class/label"):
        _load(folder)


def test_other_features_are_named(tmp_path, jpegs):
    write_images(tmp_path / "a", jpegs[:1], [0], keys=("picture", "kind"))
    with pytest.raises(DataError, match="kind, picture"):
        _load(tmp_path, "a")


def test_one_bit_that_changed_is_found(folder):
    path = folder / "train-00001-of-00003"
    contents = bytearray(path.read_bytes())
    contents[1000] ^= 1
    path.write_bytes(contents)
    with pytest.raises(DataError, match=r"train-00001.* record \d .*corrupted"):
        _load(folder)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (2**32, r"label of record 1 .* is 4,294,967,296; labels must be from 0"),
        (2**31, r"label of record 1 .* is 2,147,483,648"),
        (-(2**63), r"label of record 1 .* is -9,223,372,036,854,775,808"),
        (-2, "label of record 1 .* is -2; .* or -1 where there is none"),
        (0.5, "record 1 .*image/class/label"),
        (b"cat", "record 1 .*image/class/label"),
    ],
)
def test_a_label_that_is_none_is_named(folder, jpegs, label, told):
    records = [make_example(jpegs[0], 3), make_example(jpegs[1], label)]
    write_records(folder / "train-label", records)
    with pytest.raises(DataError, match=f"train-label.*{told}"):
        _load(folder)
    write_records(folder / "first", records[1:])
    if isinstance(label, (float, bytes)):
        with pytest.raises(DataError, match="label must be an int64_list"):
            _load(folder, "first")


def test_the_largest_label_is_kept(tmp_path, jpegs):
    write_images(tmp_path / "a", jpegs[:2], [-1, 2**31 - 2])
    source = _load(tmp_path, "a")
    assert source.labels().tolist() == [-1, 2**31 - 2]
    assert source.num_classes == 2**31 - 1


@pytest.mark.parametrize(
    ("record", "told"),
    [(b"", "got the features none"), (b"\xff" * 20, "record 0 .*: ")],
)
def test_a_record_that_is_no_example_is_named(tmp_path, jpegs, record, told):
    write_records(tmp_path / "first", [record])
    with pytest.raises(DataError, match=f"first.*{told}"):
        _load(tmp_path, "first")
    write_records(tmp_path / "second", [make_example(jpegs[0]), record])
    with pytest.raises(DataError, match=r"second .*record 1 \(from 0\)"):
        _load(tmp_path, "second")


def test_files_without_records_are_passed_over(folder):
    (folder / "train-00000").touch()
    (folder / "train-folder").mkdir()
    assert len(_load(folder)) == 15


def test_what_is_no_file_is_told(folder):
    os.mkfifo(folder / "train-pipe")
    with pytest.raises(DataError, match="train-pipe is a named pipe"):
        _load(folder)
    (folder / "only" / "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=r"only folders do: try .*inside/\*"):
        _load(folder, "only/*")


def _claim(image: bytes, at: int, claim: bytes) -> bytes:
    return image[:at] + claim + image[at + len(claim) :]


def _hostile_images() -> dict[str, bytes]:
    pixels = np.zeros([8, 8, 3], np.uint8)
    png = tf.io.encode_png(pixels).numpy()
    gif = io.BytesIO()
    Image.fromarray(pixels).save(gif, "GIF")
    return {
        "huge png": _claim(png, 16, b"\x7f\xff\xff\xff" * 2),
        "flat png": _claim(png, 20, b"\0" * 4),
        "huge gif": _claim(gif.getvalue(), 6, b"\xff" * 4),
        "headless jpeg": b"\xff\xd8\xff\xd9",
        "short jpeg": b"\xff\xd8\xff",
        "short gif": b"GIF89a",
        "short bmp": b"BM",
    }


@pytest.mark.parametrize("kind", _hostile_images())
def test_an_image_that_lies_is_named_and_not_decoded(tmp_path, jpegs, kind):
    write_images(tmp_path / "a", [jpegs[0], _hostile_images()[kind]])
    with pytest.raises(DataError, match=r"/a\b.*record 1 \(from 0\)"):
        _load(tmp_path, "a")


def test_a_file_that_changed_while_it_was_read_is_named(folder, jpegs):
    """Batches have static shapes and dtypes."""
    source, canvas = _load(folder), canvas_size(_SIZE)
    batches = source.read(tf.data.Dataset.range(15).batch(5, drop_remainder=True))
    assert batches.element_spec == {
        "image": tf.TensorSpec([5, canvas, canvas, 3], tf.uint8),
        "size": tf.TensorSpec([5, 2], tf.int32),
        "index": tf.TensorSpec([5], tf.int64),
        "label": tf.TensorSpec([5], tf.int32),
    }
    assert source.find_fault() is None
    write_images(folder / "train-00001-of-00003", jpegs[:2], [1, 2])
    with (
        pytest.raises(DataError, match="train-00001-of-00003 has changed"),
        data_errors(source),
    ):
        list(batches)
    (folder / "train-00001-of-00003").unlink()
    assert "train-00001-of-00003 cannot be read" in source.find_fault()
