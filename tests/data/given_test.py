"""A tf.data.Dataset becomes a source of the same images in the same order."""

import weakref

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import (
    DataError,
    ImageForm,
    from_dataset,
    given,
    load,
    pretrain_batches,
)
from tests import sample_images

IMAGES, LABELS = sample_images.images(20, 12)
_whole = tf.data.Dataset.from_tensor_slices


# Of images whose shape is only known when they come.
_OF_PAIRS = (tf.TensorSpec(None, tf.uint8), tf.TensorSpec([], tf.int64))


def _pairs():
    yield from zip(IMAGES, LABELS)


def _read(source):
    indices = tf.data.Dataset.range(len(source)).batch(len(source))
    return next(iter(source.read(indices)))


@pytest.mark.parametrize(
    "dataset",
    [
        lambda: _whole((IMAGES, LABELS)),
        lambda: _whole((IMAGES, LABELS)).batch(8),  # the last one smaller
        lambda: _whole({"image": IMAGES, "label": LABELS, "name": LABELS}).batch(20),
        lambda: _whole((IMAGES / np.float32(255), LABELS)).batch(3),
        lambda: tf.data.Dataset.from_generator(_pairs, output_signature=_OF_PAIRS),
    ],
    ids=["one by one", "in batches", "dict", "floating point", "of unknown shape"],
)
def test_every_form_of_elements_gives_the_images(dataset):
    source = from_dataset(dataset())
    assert len(source) == 20
    assert source.image_shape == (12, 12, 3)
    assert source.num_classes == 10
    batch = _read(source)
    np.testing.assert_array_equal(batch["image"], IMAGES)
    np.testing.assert_array_equal(batch["label"], LABELS)
    np.testing.assert_array_equal(source.labels(), LABELS)


@pytest.mark.parametrize("options", [{"labels": False}, {}])
def test_images_without_labels(options):
    dataset = _whole((IMAGES, LABELS)) if options else _whole(IMAGES)
    source = from_dataset(dataset, **options)
    assert source.num_classes is None
    assert source.labels() is None
    assert "label" not in _read(source)


def test_minus_one_is_no_label_and_names_are_those_of_keras():
    dataset = _whole((IMAGES, np.where(LABELS < 2, LABELS, -1)))
    dataset.class_names = ["cat", "dog", "owl"]
    source = from_dataset(dataset)
    assert source.class_names == ["cat", "dog", "owl"]
    assert source.num_classes == 3
    assert from_dataset(_whole((IMAGES, LABELS * 0 - 1))).num_classes is None


@pytest.mark.parametrize(
    ("stored", "form", "channels", "dtype"),
    [
        (IMAGES[..., :1], {}, 3, tf.uint8),
        (IMAGES[..., :1], {"channels": 1}, 1, tf.uint8),
        (np.concatenate([IMAGES, IMAGES[..., :1]], -1), {}, 4, tf.uint8),
        (IMAGES * np.uint16(257), {}, 3, tf.uint16),
        (IMAGES.astype(np.int32), {"value_range": (0.0, 255.0)}, 3, tf.float32),
    ],
    ids=["grey as RGB", "grey", "four channels", "16 bits", "stated range"],
)
def test_channels_and_levels_are_kept(stored, form, channels, dtype):
    image = _read(from_dataset(_whole(stored), form=ImageForm(**form)))["image"]
    assert image.shape == (20, 12, 12, channels)
    assert image.dtype == dtype


def test_bfloat16_images_are_read():
    images = _read(from_dataset(_whole(IMAGES / 255).map(_to_bfloat16)))["image"]
    assert images.dtype == tf.uint8
    # Eight bits of which the last is a two hundred and fifty-sixth of the greatest.
    np.testing.assert_allclose(images, IMAGES, atol=1)


def _to_bfloat16(image):
    return tf.cast(image, tf.bfloat16)


def test_batches_are_those_of_the_same_images_in_a_file(tmp_path):
    """A batch is a function of (seed, step) here too."""
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=LABELS)
    sources = load(f"npz:{tmp_path / 'images.npz'}"), from_dataset(_whole(IMAGES))
    drawn = [
        next(iter(pretrain_batches(source, None, batch_size=8, seed=3, start_step=4)))
        for source in sources
    ]
    np.testing.assert_array_equal(drawn[0]["image"], drawn[1]["image"])


def test_the_fingerprint_tells_order_pixels_and_labels():
    first = from_dataset(_whole((IMAGES, LABELS))).fingerprint()
    assert from_dataset(_whole((IMAGES, LABELS)).batch(7)).fingerprint() == first
    darker = IMAGES.copy()
    darker[5, 3, 3, 1] ^= 1
    for other in (
        (IMAGES[::-1], LABELS[::-1]),
        (darker, LABELS),
        (IMAGES, np.roll(LABELS, 1)),
    ):
        assert from_dataset(_whole(other)).fingerprint() != first


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: _whole(IMAGES).repeat(), r"never ends: leave out its repeat\(\)"),
        (lambda: _whole(IMAGES).take(0), "gives no image"),
        (lambda: _whole(IMAGES * 1.0), r"must lie in \[0, 1\].*Divide by 255"),
        (lambda: _whole(LABELS), r"of shape \(\): its elements must be images"),
        (lambda: _whole(IMAGES).batch(4).batch(2), "must be images"),
        (
            lambda: _whole({"views": IMAGES}),
            "elements of .'views'.: its elements must be",
        ),
        (lambda: _whole((IMAGES, LABELS, LABELS)), "elements of 3 parts"),
        (
            lambda: _whole((IMAGES, np.eye(10)[LABELS])),
            r"labels must be integers of shape",
        ),
        (lambda: _whole(tf.ragged.constant([[[1], [2]], [[3]]])), "RaggedTensorSpec"),
        (
            lambda: _whole(["no.png"]).map(tf.io.read_file).map(tf.io.decode_png),
            "no.png",
        ),
        (lambda: _whole(np.moveaxis(IMAGES, -1, 1)), "channels last"),
    ],
)
def test_what_gives_no_images_is_answered_with_the_remedy(dataset, message):
    with pytest.raises(DataError, match=message):
        from_dataset(dataset())


def test_images_of_several_sizes_are_refused():
    crops = tf.data.Dataset.range(2).map(lambda i: tf.zeros([8 + i, 9, 3], tf.uint8))
    with pytest.raises(DataError, match=r"\(8, 9, 3\) and \(9, 9, 3\): bring them"):
        from_dataset(crops)


def test_what_does_not_fit_is_refused_before_it_is_all_read():
    read = []

    def images():
        for image in IMAGES:
            read.append(1)
            yield image

    spec = tf.TensorSpec([12, 12, 3], tf.uint8)
    endless = tf.data.Dataset.from_generator(images, output_signature=spec).repeat(1000)
    with pytest.raises(DataError, match=r"take more than .* GiB"):
        from_dataset(endless, most_bytes=10 * IMAGES[0].nbytes)
    assert len(read) < 40


@pytest.mark.parametrize("name", ["tf.data.Dataset", "folder:photos", "shapes"])
def test_what_stands_for_images_of_a_program_is_no_dataset_to_load(name):
    with pytest.raises(DataError, match=r"handed to it in Python.*give --dataset"):
        load(f"given:{name}")


def test_images_are_held_once():
    """What was read is given back piece by piece."""
    blocks = [np.zeros([2, 8, 8, 3], np.uint8) for _ in range(4)]
    read = [weakref.ref(block) for block in blocks]
    assert len(given._held(blocks, ImageForm())) == 8
    assert all(block() is None for block in read)
