"""TFRecord files give what was written, in an order that a seed decides."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data.image_files import canvas_size, to_canvas
from simclr_tf.data.source import DataError, MissingSplit
from simclr_tf.data.tfrecord import load_tfrecord

_FILES, _PER_FILE, _SIZE = 3, 5, 32


@pytest.fixture(scope="module")
def jpegs(photos) -> list[bytes]:
    paths = sorted((photos / "train").glob("*/*.jpg"))
    return [path.read_bytes() for path in paths[:: len(paths) // 14]][:15]


def _write(path, images, labels=None, keys=("image/encoded", "image/class/label")):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for place, image in enumerate(images):
            feature = {
                keys[0]: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
            }
            if labels is not None:
                feature[keys[1]] = tf.train.Feature(
                    int64_list=tf.train.Int64List(value=[labels[place]])
                )
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


@pytest.fixture
def folder(tmp_path, jpegs):
    """Three files, labelled 1 to 15."""
    for file in range(_FILES):
        first = file * _PER_FILE
        _write(
            tmp_path / f"train-{file:05d}-of-{_FILES:05d}",
            jpegs[first : first + _PER_FILE],
            list(range(first + 1, first + _PER_FILE + 1)),
        )
    return tmp_path


def _load(folder, pattern="train-*", split="train", labels=True):
    return load_tfrecord(str(folder / pattern), split, _SIZE, labels)


def _order(source, seed):
    return [int(example["index"]) for example in source.stream(seed)]


def test_it_says_what_it_holds(folder):
    source = _load(folder)
    canvas = canvas_size(_SIZE)
    assert len(source) == 15
    assert source.num_classes == 16
    assert source.image_shape == (canvas, canvas, 3)
    assert source.spec == f"tfrecord:{folder}/train-*"


@pytest.mark.parametrize("seed", [None, 3])
def test_images_labels_and_indices_belong_together(folder, jpegs, seed):
    seen = set()
    for example in _load(folder).stream(seed):
        index = int(example["index"])
        image, size = to_canvas(jpegs[index], canvas_size(_SIZE))
        np.testing.assert_array_equal(example["image"], image)
        np.testing.assert_array_equal(example["size"], size)
        assert int(example["label"]) == index + 1
        seen.add(index)
    assert seen == set(range(15))


def test_unshuffled_is_the_files_order(folder):
    assert _order(_load(folder), None) == list(range(15))


def test_the_seed_decides_the_order(folder):
    source = _load(folder)
    first, again, other = (_order(source, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other) == list(range(15))


def test_the_order_does_not_depend_on_the_global_seed(folder):
    source = _load(folder)
    epochs = tf.data.Dataset.range(3, 4).flat_map(source.stream)
    orders = [_order(source, 3), [int(example["index"]) for example in epochs]]
    for seed in (0, 6):
        tf.random.set_seed(seed)
        orders.append(_order(source, 3))
        epochs = tf.data.Dataset.range(3, 4).flat_map(source.stream)
        orders.append([int(example["index"]) for example in epochs])
        drawn = float(tf.random.uniform([]))
        tf.random.set_seed(seed)
        assert float(tf.random.uniform([])) == drawn
    assert orders == orders[:1] * 6
    assert orders[0] != sorted(orders[0])


def test_it_streams_from_within_a_graph(folder):
    source = _load(folder)
    epochs = tf.data.Dataset.range(2).flat_map(source.stream)
    order = [int(example["index"]) for example in epochs]
    assert order == _order(source, 0) + _order(source, 1)


def test_examples_have_static_shapes_and_dtypes(folder):
    canvas = canvas_size(_SIZE)
    assert _load(folder).stream(0).element_spec == {
        "image": tf.TensorSpec([canvas, canvas, 3], tf.uint8),
        "size": tf.TensorSpec([2], tf.int32),
        "index": tf.TensorSpec([], tf.int64),
        "label": tf.TensorSpec([], tf.int32),
    }


def test_the_short_names_of_features(tmp_path, jpegs):
    _write(tmp_path / "a.tfrecord", jpegs[:4], [0, 2, 1, 0], keys=("image", "label"))
    source = _load(tmp_path, "*.tfrecord")
    assert source.num_classes == 3
    assert [int(example["label"]) for example in source.stream(None)] == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("written", "asked"), [(None, True), ([0, 1], False), ([-1, -1], True)]
)
def test_no_labels(tmp_path, jpegs, written, asked):
    _write(tmp_path / "a", jpegs[:2], written)
    source = _load(tmp_path, "a", labels=asked)
    assert source.num_classes is None
    assert "label" not in source.stream(None).element_spec


def test_records_hold_files_of_every_kind(tmp_path, jpegs):
    image = tf.io.decode_jpeg(jpegs[0])
    files = [tf.io.encode_png(image).numpy(), jpegs[0]]
    for form, mode in (("BMP", "RGB"), ("GIF", "P"), ("JPEG", "CMYK"), ("PNG", "1")):
        file = io.BytesIO()
        Image.fromarray(image.numpy()).convert(mode).save(file, form)
        files.append(file.getvalue())
    _write(tmp_path / "a", files, list(range(6)))
    examples = list(_load(tmp_path, "a").stream(None))
    assert [int(example["label"]) for example in examples] == list(range(6))
    for example in examples:
        np.testing.assert_array_equal(example["size"], image.shape[:2])
    first = examples[0]["image"].numpy().astype(int)
    np.testing.assert_array_equal(examples[2]["image"], first)
    # Of a JPEG no more is decoded than the canvas takes.
    assert np.abs(examples[1]["image"].numpy() - first).mean() < 3


def test_an_image_damaged_inside_its_record_stops_the_reading(folder, jpegs):
    _write(folder / "train-cut", [jpegs[0][:1000], jpegs[1]], [1, 2])
    source = _load(folder)
    assert len(source) == 17
    with pytest.raises(tf.errors.InvalidArgumentError):
        _order(source, None)


@pytest.mark.parametrize("name", ["test", "validation"])
def test_the_split_is_put_into_the_glob(folder, jpegs, name):
    _write(folder / f"{name}-00000-of-00001", jpegs[:2], [1, 2])
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
    _write(tmp_path / "a", [])
    with pytest.raises(DataError, match="hold no records"):
        _load(tmp_path, "a")


@pytest.mark.parametrize("file", [0, 2])
def test_a_damaged_file_is_named(folder, file):
    path = folder / f"train-{file:05d}-of-{_FILES:05d}"
    path.write_bytes(path.read_bytes()[:-100])
    (folder / "short").write_bytes(b"not a record at all")
    with pytest.raises(DataError, match=f"{path.name} cannot be read"):
        _load(folder)
    with pytest.raises(DataError, match="short cannot be read") as caught:
        _load(folder, "short")
    assert "{" not in str(caught.value)


def test_a_record_that_is_no_image_is_named(folder, jpegs):
    _write(folder / "train-bad", [jpegs[0], b"", b"nonsense"], [1, 2, 3])
    with pytest.raises(DataError, match=r"train-bad: image/encoded of record 1 "):
        _load(folder)


def test_a_record_without_its_label_is_named(folder, jpegs):
    _write(folder / "train-bad", [jpegs[0]])
    with pytest.raises(DataError, match=r"train-bad .*image/class/label"):
        _load(folder)


def test_other_features_are_named(tmp_path, jpegs):
    _write(tmp_path / "a", jpegs[:1], [0], keys=("picture", "kind"))
    with pytest.raises(DataError, match="kind, picture"):
        _load(tmp_path, "a")
