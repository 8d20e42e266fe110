"""Records may hold arrays of any channels and dtype in place of image files."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError, ImageForm, load

_IMAGES = np.random.default_rng(0).integers(0, 4096, [5, 8, 9, 4], np.uint16)


def _save(folder, images, labels=True):
    path = str(folder / "images.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for label, image in enumerate(images):
            contents = tf.io.serialize_tensor(image).numpy()
            bytes_list = tf.train.BytesList(value=[contents])
            features = {"image": tf.train.Feature(bytes_list=bytes_list)}
            if labels:
                numbers = tf.train.Int64List(value=[label % 2])
                features["label"] = tf.train.Feature(int64_list=numbers)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return f"tfrecord:{path}"


def _read(source, places=(3, 0)):
    batches = tf.data.Dataset.from_tensors(tf.constant(places, tf.int64))
    return next(iter(source.read(batches)))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float64"])
def test_arrays_of_a_stated_range_are_given_by_place(tmp_path, dtype):
    spec = _save(tmp_path, _IMAGES.astype(dtype))
    source = load(spec, form=ImageForm(value_range=(0, 4095)))
    assert (source.image_shape, source.num_classes) == ((8, 9, 4), 2)
    batch = _read(source)
    np.testing.assert_allclose(batch["image"], _IMAGES[[3, 0]] / 4095.0, atol=1e-6)
    np.testing.assert_array_equal(batch["label"], [1, 0])


@pytest.mark.parametrize(("channels", "given"), [(None, 3), (1, 1)])
def test_grey_arrays_become_rgb_unless_one_channel_is_said(tmp_path, channels, given):
    grey = (_IMAGES[..., 0] // 16).astype(np.uint8)
    source = load(_save(tmp_path, grey), form=ImageForm(channels=channels))
    wanted = np.repeat(grey[[3, 0], ..., None], given, -1)
    np.testing.assert_array_equal(_read(source)["image"], wanted)


@pytest.mark.parametrize(
    ("images", "form", "message"),
    [
        (_IMAGES, ImageForm(), "nearly black.*value_range"),
        (_IMAGES.astype("int32"), ImageForm(), "got int32.*--value_range=0,4095"),
        (_IMAGES, ImageForm(channels=3), "4 channels, and channels=3 was said"),
        ([*_IMAGES, _IMAGES[0, :5]], ImageForm(), r"record 5 .*another shape"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, images, form, message):
    with pytest.raises(DataError, match=message):
        load(_save(tmp_path, images), form=form)


def test_a_value_out_of_the_stated_range_stops_the_reading(tmp_path):
    source = load(_save(tmp_path, _IMAGES), form=ImageForm(value_range=(0, 100)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"out of 0\.\.100"):
        _read(source)
