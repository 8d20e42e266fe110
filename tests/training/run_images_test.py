"""Images of many sizes are read as large as their views need them."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.training import Recipe
from simclr_tf.training.run_images import RunImages


def _folder(path, sides):
    path.mkdir()
    for number, (height, width) in enumerate(sides):
        image = np.full([height, width, 3], number, np.uint8)
        tf.io.write_file(str(path / f"{number}.png"), tf.io.encode_png(image))
    return RunImages(Recipe(dataset=f"folder:{path}"))


@pytest.mark.parametrize(
    ("sides", "native"),
    [
        (3 * [(30, 30)], 30),
        ([(200, 90), (75, 80), (40, 300)], 72),
        ([(3, 5), (4, 4), (5, 3)], 8),
    ],
)
def test_the_native_side_is_the_shorter_one_of_most_images(tmp_path, sides, native):
    images = _folder(tmp_path / "photos", sides)
    assert images.native_side == native
    assert images.count == 3


def test_images_are_read_for_their_views_and_once_for_each_size(tmp_path):
    images = _folder(tmp_path / "photos", [(200, 90), (75, 80)])
    small, large = images.for_views(32).train, images.for_views(64).train
    assert small.image_shape[0] < large.image_shape[0]
    assert images.for_views(32).train is small


def test_images_of_one_size_are_read_once():
    images = RunImages(Recipe(dataset="shapes:40", image_size=24))
    assert images.native_side == 24
    assert images.for_views(24) is images.for_views(20)
