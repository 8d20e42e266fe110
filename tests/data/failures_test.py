"""A file that goes away while it is being read is named."""

import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import (
    DataError,
    MissingSplit,
    Source,
    Subset,
    data_errors,
    evaluation_batches,
    load,
    pretrain_batches,
)
from simclr_tf.training import Recipe, pretrain
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    for place in range(12):
        pixels = generator.integers(0, 256, [30, 20, 3], np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place:02}.png")
    return tmp_path


def _remove(path):
    path.unlink()


def _empty(path):
    path.write_bytes(b"")


def _flatten(path):
    contents = bytearray(path.read_bytes())
    contents[20:24] = b"\0\0\0\0"
    path.write_bytes(contents + b" ")


def _make_pipe(path):
    path.unlink()
    os.mkfifo(path)


_FAULTS = [
    (_remove, "07.png .it is gone"),
    (_empty, "07.png .Input is empty"),
    (_flatten, "07.png .the header claims 0 x 20 pixels"),
]


@pytest.mark.parametrize(("spoil", "message"), _FAULTS)
def test_a_look_at_the_files_finds_the_fault(photos, spoil, message):
    source = Subset(load(f"folder:{photos}", image_size=16), np.arange(12), "part")
    assert source.find_fault() is None
    spoil(photos / "07.png")
    assert re.search(f"{message}.*start it again", source.find_fault())


@pytest.mark.parametrize(
    ("spoil", "message", "in_a_graph"),
    [
        pytest.param(*_FAULTS[0], False, marks=pytest.mark.exhaustive),
        (*_FAULTS[0], True),
        (*_FAULTS[1], False),
        pytest.param(*_FAULTS[2], True, marks=pytest.mark.exhaustive),
    ],
)
def test_the_file_and_its_fault_are_named(photos, spoil, message, in_a_graph):
    source = load(f"folder:{photos}", image_size=16)
    source = Subset(source, np.arange(12), "part")
    spoil(photos / "07.png")
    batches = source.read(tf.data.Dataset.range(12).batch(4, drop_remainder=True))

    def take():
        for batch in batches:
            tf.reduce_sum(batch["label"] if "label" in batch else batch["index"])

    with (
        pytest.raises(DataError, match=f"{message}.*start it again"),
        data_errors(None, source),
    ):
        tf.function(take)() if in_a_graph else take()


def test_a_file_that_became_a_pipe_is_not_opened_to_find_out(photos):
    source = load(f"folder:{photos}", image_size=16)
    _make_pipe(photos / "03.png")
    assert "03.png (it is a named pipe now)" in source.find_fault()
    (photos / "03.png").unlink()
    assert "03.png (it is gone)" in source.find_fault()


def test_an_error_of_reading_names_the_dataset_at_least(photos):
    source = Source(
        spec="tfrecord:x", split="train", image_shape=(8, 8, 3), num_examples=1
    )
    images = tf.data.Dataset.from_tensors(b"no picture").map(tf.io.decode_image)
    with (
        pytest.raises(DataError, match=r"tfrecord:x \(train\): an image .*: Unknown"),
        data_errors(source),
    ):
        list(images)


class _Pixels(Source):
    """Of the user's own, with images that are neither uint8 nor in [0, 1]."""

    def read(self, indices):
        def draw(index):
            return {"image": tf.fill([4, 8, 8, 3], 255.0), "index": index}

        return indices.map(draw)


@pytest.mark.parametrize(
    "batches",
    [
        lambda source: pretrain_batches(source, None, batch_size=4, seed=0),
        lambda source: evaluation_batches(source, batch_size=4, image_size=8),
    ],
)
def test_images_out_of_range_are_refused_with_the_name_of_their_source(batches):
    source = _Pixels(spec="own:x", split="train", image_shape=(8, 8, 3), num_examples=4)
    message = r"own:x \(train\): .* from 255 to 255\. Divide pixels in 0\.\.255 by 255"
    with pytest.raises(DataError, match=message), data_errors(source):
        next(iter(batches(source)))


def test_other_errors_pass_through(photos):
    source = load(f"folder:{photos}", image_size=16)
    with pytest.raises(tf.errors.InvalidArgumentError), data_errors(source):
        tf.debugging.assert_equal(tf.constant(1), 2)
    with pytest.raises(KeyError), data_errors(source):
        raise KeyError("x")
    with data_errors(source):
        pass


class _Raw(Source):
    """Files of bare pixels, which take no time to trace."""

    def read(self, indices):
        paths = tf.constant(self.paths)

        def draw(index):
            pixels = tf.io.decode_raw(tf.io.read_file(paths[index]), tf.uint8)
            return tf.reshape(pixels, [8, 8, 3])

        def read_batch(index):
            images = tf.map_fn(draw, index, fn_output_signature=tf.uint8)
            return {"image": tf.ensure_shape(images, [None, 8, 8, 3]), "index": index}

        return indices.map(tf.autograph.experimental.do_not_convert(read_batch))

    def find_fault(self):
        gone = [path for path in self.paths if not os.path.exists(path)]
        return f"{gone[0]} (it is gone). Please start it again." if gone else None


def load_raw(folder, split, image_size, labels):
    if split != "train":
        raise MissingSplit("no test split.")
    paths = sorted(map(str, pathlib.Path(folder).glob("*.png")))
    return _Raw(
        spec="",
        split=split,
        image_shape=(8, 8, 3),
        num_examples=len(paths),
        paths=paths,
    )


@pytest.mark.parametrize(
    "kind",
    [f"{__name__}:load_raw", pytest.param("folder", marks=pytest.mark.exhaustive)],
)
def test_a_file_that_vanishes_during_training_is_named(photos, kind):
    if kind != "folder":
        for path in photos.glob("*.png"):
            path.write_bytes(bytes(8 * 8 * 3))
    recipe = Recipe(
        dataset=f"{kind}:{photos}",
        image_size=8,
        encoder=tiny.NAME,
        head_layers=1,
        views="crop",
        augment_on="device",
        batch_size=4,
        epochs=20,
        eval="",
        early_share=0.0,
        precision="float32",
    )

    def say(line):
        if line.startswith("epoch 1/"):
            (photos / "05.png").unlink()

    with pytest.raises(DataError, match=r"05\.png \(it is gone\).*start it again"):
        pretrain(recipe, str(photos.parent / "run"), say=say)
