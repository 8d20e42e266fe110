"""Views that teach nothing are named with the flag that would mend them."""

import numpy as np
import pytest

from simclr_tf.augmentation import SimCLRAugmenter, parse_views
from simclr_tf.augmentation.view_warnings import view_warnings
from tests import sample_images


def _images(count=8, side=32):
    photos = [sample_images.photo(side, side, k) for k in range(count)]
    return np.stack(photos).astype(np.float32) / 255.0


def _views(images, views):
    layers = parse_views(views, 32, images.shape[-1])
    seeds = np.stack([np.arange(len(images)), np.zeros(len(images))], axis=1)
    augmenter = SimCLRAugmenter(32, layers=layers)
    return augmenter.views(images, seeds.astype(np.int32), count=4).numpy()


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_recipe_is_not_complained_of(strength):
    images = _images()
    views = _views(images, f"crop|flip|jitter({strength})|gray|blur")
    assert view_warnings(images, views) == []


def test_views_alike():
    images = _images()
    (line,) = view_warnings(images, _views(images, "crop(0.99,1)"))
    assert line.startswith("16 of 16 pairs of views are nearly alike")
    assert "--color_strength" in line


@pytest.mark.parametrize(("value", "what"), [(0.01, "black"), (0.99, "white")])
def test_views_nearly_black_or_white(value, what):
    images = _images()
    views = _views(images, "crop|jitter(1)")
    views[::2] = value
    lines = view_warnings(images, views)
    assert f"16 of 32 views are nearly {what}" in lines[0]
    assert "--color_strength" in lines[0]
    # Equal views of half the images are also alike.
    assert len(lines) == 2


def test_images_that_are_dark_themselves():
    images = _images() / 40
    lines = view_warnings(images, _views(images, "crop|jitter(1)"))
    assert lines[0].startswith("8 of 8 images are nearly black before")
    assert "--value_range" in lines[0]
    assert not any("views are nearly black" in line for line in lines)


def test_crops_that_show_almost_nothing():
    images = _images()
    images[:, 4:, :] = 0.6  # Something at the top, and a plain wall below.
    images[:, :, 4:] = 0.6
    lines = view_warnings(images, _views(images, "crop(0.08,0.2)|jitter(0.5)"))
    assert "show almost nothing" in lines[0]
    assert "--crop_min_area" in lines[0]
