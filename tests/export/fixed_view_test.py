"""The view of images of one size is the evaluation view, as a crop or by matrices."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.export.fixed_view import cropped_size, fixed_view


@pytest.mark.parametrize(
    ("input_size", "image_size", "is_crop"),
    [
        (256, 224, True),
        (32, 32, True),
        (46, 40, True),
        (40, 40, False),
        ((61, 47), 40, False),
        ((24, 90), (16, 40), False),
        ((300, 200), 64, False),
    ],
)
def test_it_is_the_evaluation_view(input_size, image_size, is_crop):
    view = fixed_view(input_size, image_size)
    assert (view.cropping is not None) is is_crop
    height, width = (len(view.rows[0]), len(view.columns[0]))
    images = tf.random.stateless_uniform([2, height, width, 3], [1, 2])
    want = evaluation_view(images, image_size)
    np.testing.assert_allclose(view.apply(images), want, rtol=0, atol=1e-6)


def test_the_size_whose_centre_is_the_view():
    assert cropped_size(224) == 256
    assert cropped_size(32) == 32
    height, width = cropped_size((96, 160))
    assert fixed_view((height, width), (96, 160)).cropping is not None
