"""What evaluate gives depends on images and weights alone, and changes nothing."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.loss import nt_xent
from simclr_tf.model import SimCLR
from tests.model.small_simclr import (
    LABELS,
    batch_of_views,
    forms_of_data,
    small_head,
    small_model,
    some_images,
)

pytestmark = pytest.mark.slow


def test_the_views_of_an_evaluated_image_do_not_depend_on_the_batch_size():
    model = small_model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    measured = [
        model.evaluate(
            some_images(), LABELS, batch_size=size, verbose=0, return_dict=True
        )
        for size in (7, 16)
    ]
    for each in measured[1:]:
        assert each["probe_loss"] == pytest.approx(measured[0]["probe_loss"], rel=1e-5)
    same = tf.repeat(some_images(1), 8, axis=0)
    first, second = (
        model.evaluate(same, LABELS[:8], batch_size=size, verbose=0, return_dict=True)
        for size in (4, 8)
    )
    assert first["probe_loss"] == pytest.approx(second["probe_loss"], rel=1e-5)
    # The second batch has other views than the first.
    one = model.evaluate(
        same[:4], LABELS[:4], batch_size=4, verbose=0, return_dict=True
    )
    assert one["contrastive_loss"] != pytest.approx(first["contrastive_loss"], rel=1e-4)


def test_evaluation_is_repeatable_and_changes_nothing():
    model = small_model()
    model.compile("sgd", run_eagerly=True)
    weights = model.get_weights()
    first, second = (
        model.evaluate(some_images(), verbose=0, return_dict=True) for _ in range(2)
    )
    assert first == second
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)


def test_a_batch_of_one_image_is_left_out_of_an_evaluation():
    model = small_model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    settings = {"verbose": 0, "return_dict": True}
    with pytest.warns(UserWarning, match="one image, which has no negatives"):
        odd = model.evaluate(some_images(9), LABELS[:9], batch_size=8, **settings)
    even = model.evaluate(some_images(8), LABELS[:8], batch_size=8, **settings)
    for name in ("loss", "contrastive_loss", "contrastive_accuracy"):
        assert odd[name] == pytest.approx(even[name], rel=1e-5)
    with pytest.raises(UserError, match="Every batch holds one image"):
        model.evaluate(some_images(3), LABELS[:3], batch_size=1, **settings)


def test_the_loss_is_nt_xent_of_the_projections():
    model = small_model(temperature=0.3, loss_scale=2.0)
    model.compile("sgd")
    views = forms_of_data()["views"]["views"]
    logs = model.test_on_batch({"views": views}, return_dict=True)
    projections = [
        model.projection_head(model(views[:, view]), training=False)
        for view in range(2)
    ]
    expected = float(nt_xent(*projections, temperature=0.3))
    assert logs["contrastive_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["loss"] == pytest.approx(2 * expected, rel=1e-5)


def test_regularisation_of_the_encoder_joins_the_loss():
    encoder = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(12, 3, kernel_regularizer="l2"),
            tf.keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model = SimCLR(encoder, small_head())
    model.compile("sgd", run_eagerly=True)
    logs = model.evaluate(batch_of_views(None), verbose=0, return_dict=True)
    decay = float(tf.add_n(encoder.losses))
    assert logs["loss"] == pytest.approx(logs["contrastive_loss"] + decay, rel=1e-6)
