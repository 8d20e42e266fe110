"""Silhouettes: the outline tells the class, and nothing simpler does."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simclr_tf.data import DataError, load, shapes
from simclr_tf.data.shapes import CLASS_NAMES, load_shapes

pytestmark = pytest.mark.slow

_CHANCE = 0.1


def _read(places, split="train", size=32, batch=500):
    indices = tf.data.Dataset.from_tensor_slices(np.asarray(places, np.int64))
    source = load("shapes", split, image_size=size)
    batches = list(source.read(indices.batch(batch)))
    return {
        name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]
    }


@pytest.fixture(scope="module")
def train():
    return _read(range(3000))


@pytest.fixture(scope="module")
def test():
    return _read(range(1500), "test")


def test_it_says_what_it_holds():
    source = load("shapes")
    assert len(source) == 10_000
    assert source.image_shape == (32, 32, 3)
    assert source.num_classes == 10
    assert source.class_names == list(CLASS_NAMES)
    assert len(load("shapes", "test")) == 2_000
    batch = source.read(tf.data.Dataset.range(8).batch(8, drop_remainder=True))
    assert batch.element_spec["label"] == tf.TensorSpec([8], tf.int32)
    assert batch.element_spec["index"] == tf.TensorSpec([8], tf.int64)
    assert batch.element_spec["image"] == tf.TensorSpec([8, 32, 32, 3], tf.uint8)


def test_classes_are_balanced(train, test):
    for part in (train, test):
        counts = np.bincount(part["label"], minlength=10)
        np.testing.assert_array_equal(counts, len(part["label"]) // 10)


def test_an_image_is_the_same_whatever_the_batch(train):
    # Drawing is compiled for each size of a batch.
    places = np.random.default_rng(0).permutation(98)
    mixed = _read(places, batch=7)
    np.testing.assert_array_equal(mixed["index"], places)
    np.testing.assert_array_equal(mixed["image"], train["image"][places])
    np.testing.assert_array_equal(mixed["label"], train["label"][places])


def test_the_count_changes_no_image(train):
    source = load("shapes:70", image_size=32)
    assert len(source) == 70
    assert len(load("shapes:70", "test")) == 2_000
    batches = source.read(tf.data.Dataset.range(70).batch(7))
    images = np.concatenate([batch["image"] for batch in batches])
    np.testing.assert_array_equal(images, train["image"][:70])


@pytest.mark.parametrize("size", [96, pytest.param(16, marks=pytest.mark.exhaustive)])
def test_an_image_is_the_same_picture_at_any_size(train, size):
    small, large = sorted((32, size))
    images = {32: train["image"][:50], size: _read(range(50), size=size)["image"]}
    factor = large // small
    blocks = images[large].reshape(50, small, factor, small, factor, 3)
    apart = np.abs(blocks.mean(axis=(2, 4)) - images[small]).mean(axis=(1, 2, 3))
    others = np.abs(np.roll(blocks.mean(axis=(2, 4)), 1, 0) - images[small])
    assert apart.max() < 4  # of 255
    assert others.mean(axis=(1, 2, 3)).min() > 4 * apart.max()


def test_no_image_comes_twice(train, test):
    every = np.concatenate([train["image"], test["image"]]).reshape(4500, -1)
    assert len(np.unique(every, axis=0)) == 4500


def test_labels_only_where_asked():
    source = load("shapes", labels=False)
    assert source.num_classes is None
    assert source.class_names is None
    places = tf.data.Dataset.range(4).batch(4)
    assert "label" not in source.read(places).element_spec


def _colours(images):
    pixels = images.reshape(len(images), -1, 3) / 255
    return np.concatenate([pixels.mean(1), pixels.std(1)], axis=1)


def _pixels(images):
    return images[:, ::4, ::4].reshape(len(images), -1) / 255


@pytest.mark.parametrize("features", [_colours, _pixels])
def test_neither_colours_nor_pixels_tell_the_class(train, test, features):
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, solver="newton-cholesky")
    )
    model.fit(features(train["image"]), train["label"])
    assert model.score(features(test["image"]), test["label"]) < 2 * _CHANCE


def _outlines(images):
    """Complex moments of the figure's pixels, blind to place, turn and size."""
    grey = images.mean(axis=-1)
    middle = np.percentile(grey, [10, 90], axis=(1, 2)).mean(axis=0)
    figure = grey > middle[:, None, None]
    edge = [figure[:, 0], figure[:, -1], figure[:, :, 0], figure[:, :, -1]]
    inverted = np.concatenate(edge, axis=1).mean(axis=1) > 0.5
    figure = (figure ^ inverted[:, None, None]).reshape(len(images), -1).astype(float)
    rows, columns = np.divmod(np.arange(figure.shape[1]), images.shape[2])
    places = columns + 1j * rows
    area = figure.sum(axis=1)
    away = places - (figure @ places / area)[:, None]
    moments = [
        (figure * away**p * np.conj(away) ** q).sum(axis=1) / area ** (1 + (p + q) / 2)
        for p in range(1, 7)
        for q in range(min(p, 6 - p) + 1)
    ]
    return np.abs(np.stack(moments, axis=1))


def test_the_outline_tells_the_class(train, test):
    model = RandomForestClassifier(50, random_state=0)
    model.fit(_outlines(train["image"]), train["label"])
    assert model.score(_outlines(test["image"]), test["label"]) > 0.75


@pytest.mark.parametrize(
    ("argument", "split", "size", "message"),
    [
        ("many", "train", None, "'shapes:many' asks for 'many'.*such as shapes:2000"),
        ("0", "train", None, "positive integer"),
        ("-5", "train", None, "positive integer"),
        ("", "val", None, "has no split 'val'. Use 'train' or 'test'"),
        ("", "train", 7, "image_size=7 is too small.*at least 8"),
    ],
)
def test_what_cannot_be_drawn_is_refused(argument, split, size, message):
    with pytest.raises(DataError, match=message):
        load_shapes(argument, split, size, True)


def test_drawing_is_one_program_that_runs_anywhere():
    places = tf.range(8, dtype=tf.int64)
    program = shapes._draw.experimental_get_compiler_ir(places, 1, 32)(stage="hlo")
    assert "u8[8,32,32,3]" in program
    for word in ("custom-call", "while", "rng"):
        assert f" {word}(" not in program


def test_the_smallest_images_are_drawn():
    images = _read(range(20), size=8, batch=20)["image"]
    assert images.shape == (20, 8, 8, 3)
    assert (images.std(axis=(1, 2)).max(axis=1) > 10).all()
