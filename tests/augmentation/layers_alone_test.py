"""Each layer alone changes the images as it does in a view, and says what was drawn."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter, StatelessAugmentation, parse_views
from simclr_tf.augmentation.layers_alone import layers_alone
from tests import sample_images


def _images(count=3, side=24):
    photos = [sample_images.photo(side, side, k) for k in range(count)]
    return np.stack(photos).astype(np.float32) / 255.0


def _alone(views, images=None, channels=3):
    images = _images() if images is None else images
    layers = parse_views(views, 24, channels)
    augmenter = SimCLRAugmenter(24, layers=layers)
    return {each.name: each for each in layers_alone(augmenter, images, images, seed=0)}


def test_what_is_written_is_what_was_done():
    images = _images()
    found = _alone("crop|flip(0.1)|vflip|gray(0.1)|solarize(0.1)|turn", images)
    assert list(found) == [
        *("resized crop", "horizontal flip", "vertical flip", "grayscale"),
        *("solarize", "quarter turn"),
    ]
    np.testing.assert_array_equal(found["horizontal flip"].views, images[:, :, ::-1])
    np.testing.assert_array_equal(found["vertical flip"].views, images[:, ::-1])
    gray = found["grayscale"].views
    np.testing.assert_allclose(gray, gray[..., :1].repeat(3, axis=-1))
    wanted = np.where(images >= 0.5, 1 - images, images)
    np.testing.assert_array_equal(found["solarize"].views, wanted)
    assert found["solarize"].drawn == ["from 0.5 on"] * 3
    turned = found["quarter turn"]
    for image, view, words in zip(images, turned.views, turned.drawn):
        quarters = int(words.removeprefix("by ").removesuffix(" degrees")) // 90
        np.testing.assert_array_equal(view, np.rot90(image, quarters))
    assert all(words.endswith("% of the area") for words in found["resized crop"].drawn)
    assert found["horizontal flip"].drawn == [""] * 3


def test_a_crop_says_its_share_of_the_area():
    found = _alone("crop(0.25,0.26)|flip")
    for words in found["resized crop"].drawn:
        assert 0.2 < int(words.split("%")[0]) / 100 < 0.31


def test_jitter_and_blur_tell_their_strengths():
    found = _alone("crop|jitter(1,0.5)|blur(0.5)")
    for words in found["color jitter"].drawn:
        lines = dict(line.split(" ") for line in words.split("\n"))
        assert list(lines) == ["brightness", "contrast", "saturation", "hue"]
        assert 0.2 <= float(lines["brightness"]) <= 1.8
        assert -0.2 <= float(lines["hue"]) <= 0.2
    for view, words in zip(found["gaussian blur"].views, found["gaussian blur"].drawn):
        assert 0.1 <= float(words.split(" ")[1]) <= 2.0
        assert np.isfinite(view).all()


def test_what_changes_nothing_says_so():
    gray = _images()[..., :1].repeat(3, axis=-1)
    found = _alone("crop|gray|flip(0)", gray)
    for name in ("grayscale", "horizontal flip"):
        assert found[name].drawn == ["changes nothing in 64 draws"] * 3
        np.testing.assert_array_equal(found[name].views, gray)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels(channels):
    images = _images()[..., :1].repeat(channels, axis=-1)
    augmenter = SimCLRAugmenter(24)
    found = layers_alone(augmenter, images, images, seed=0)
    assert [each.name for each in found] == [
        *("resized crop", "horizontal flip", "color jitter", "gaussian blur")
    ]
    jitter = found[2]
    assert all("hue" not in words for words in jitter.drawn)
    assert all(("of channel 1" in words) == (channels > 1) for words in jitter.drawn)


class _Darken(StatelessAugmentation):
    def sample(self, seeds, sizes):
        count = tf.shape(seeds)[0]
        return {"share": tf.fill([count], 0.25), "often": tf.fill([count], True)}

    def augment_images(self, images, transformations, **_):
        return images * transformations["share"][:, None, None, None]


def test_a_layer_of_ones_own_shows_its_numbers():
    crop = parse_views("crop", 24)
    images = _images()
    augmenter = SimCLRAugmenter(24, layers=[*crop, _Darken()])
    darkened = layers_alone(augmenter, images, images, seed=0)[1]
    assert darkened.name == "darken"
    assert darkened.drawn == ["share 0.25"] * 3
    np.testing.assert_allclose(darkened.views, images / 4)
