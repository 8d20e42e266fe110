"""Copies of images are found; those that are so to the pixel are told apart."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import DataError, ImageForm, evaluation_batches, load
from simclr_tf.evaluation import encode
from simclr_tf.search import (
    copy_similarities,
    find_duplicates,
    images_at,
    images_of_files,
    threshold_of,
    unit_rows,
)
from tests import sample_images

SIZE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve photographs, and of the first: its pixels as PNG, and darker ones."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(12):
        photo = sample_images.photo(60, 70, number)
        Image.fromarray(photo).save(folder / f"{number:02}.bmp")
    first = sample_images.photo(60, 70, 0)
    Image.fromarray(first).save(folder / "same.png")
    Image.fromarray((0.97 * first).astype(np.uint8)).save(folder / "similar.png")
    return folder


@pytest.fixture(scope="module")
def source(folder):
    return load(f"folder:{folder}", "train", image_size=SIZE)


def pixels(images):
    """An encoder: contrast around the mean, of some pixels."""
    flat = tf.reshape(images[:, ::2, ::2], [len(images), -1])
    return (flat - tf.reduce_mean(flat, axis=1, keepdims=True)).numpy()


def test_copies_are_grouped_and_the_same_pixels_told(source, folder):
    images = images_at(source, np.arange(len(source)), SIZE)
    batches = evaluation_batches(source, batch_size=5, image_size=SIZE)
    np.testing.assert_array_equal(
        images, np.concatenate([batch["image"] for batch in batches])
    )
    unit = unit_rows(pixels(images))
    (group,) = find_duplicates(source, np.arange(len(source)), unit, 0.99)
    names = [source.paths[place][len(str(folder)) + 1 :] for place in group.index]
    assert names == ["00.bmp", "same.png", "similar.png"]
    first, _, similar = group.index
    assert group.same_as == [first, first, similar]
    assert group.identical == 1
    assert group.similarity[0] == pytest.approx(1.0, abs=1e-6)
    assert 0.99 < group.similarity[2] < 1.0


def test_arrays_are_told_apart_by_their_pixels(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, [6, 8, 8, 2], np.uint8)
    images[4] = images[1]
    images[5] = images[2]
    images[5, 0, 0, 0] ^= 1
    np.savez(tmp_path / "images.npz", images=images)
    source = load(f"npz:{tmp_path / 'images.npz'}", "train")
    unit = unit_rows(images.reshape(6, -1).astype(np.float32) - 127)
    groups = find_duplicates(source, np.arange(6), unit, 0.999)
    assert [(g.index.tolist(), g.same_as) for g in groups] == [
        ([1, 4], [1, 1]),
        ([2, 5], [2, 5]),
    ]


def test_the_threshold_is_what_copies_reach(source):
    images = images_at(source, np.arange(len(source)), SIZE)
    similarities = copy_similarities(pixels, images)
    assert similarities.shape == (3, 14)  # Trimmed, brighter, JPEG.
    assert (similarities < 1.0001).all()
    threshold = threshold_of(similarities)
    assert np.mean(similarities >= threshold) == pytest.approx(0.95, abs=0.03)
    # To an encoder that tells nothing apart all copies are the same.
    blind = copy_similarities(lambda some: np.ones([len(some), 4]), images)
    np.testing.assert_allclose(blind, 1.0, atol=1e-6)
    # Four channels have no JPEG.
    four = tf.concat([images, images[..., :1]], axis=-1)
    assert copy_similarities(pixels, four).shape == (2, 14)


def test_query_images_are_seen_as_the_dataset_is(source, folder):
    files = [str(folder / "03.bmp"), str(folder / "same.png")]
    images = images_of_files(files, SIZE, ImageForm())
    places = [list(source.paths).index(path) for path in files]
    np.testing.assert_allclose(images, images_at(source, places, SIZE), atol=1e-6)
    assert images_of_files(files, SIZE, ImageForm(channels=1)).shape[-1] == 1
    dataset = tf.data.Dataset.from_tensor_slices({"image": images}).batch(1)
    assert encode(lambda some: tf.reduce_mean(some, [1, 2]), dataset)[0].shape == (2, 3)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    for path in (tmp_path / "text.jpg", tmp_path / "nowhere.jpg", tmp_path):
        with pytest.raises(DataError, match=f"--query={path} cannot be read"):
            images_of_files([str(path)], SIZE, ImageForm())
    with pytest.raises(DataError, match=r"4 channels.*--query_index"):
        images_of_files(["a.jpg"], SIZE, ImageForm(channels=4))
