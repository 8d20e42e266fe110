"""SimCLR behaves as any Keras model, and trains as the paper says."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import make_encoder
from simclr_tf.errors import UserError
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS, make_optimizer
from tests.model.small_simclr import (
    LABELS,
    batch_of_views,
    forms_of_data,
    small_encoder,
    small_head,
    small_model,
    some_images,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pooled", [True, False])
def test_gives_representations(pooled):
    model = small_model(pooled)
    images = some_images()
    features = model(images)
    assert features.shape == [16, 12]
    np.testing.assert_allclose(
        features, model(tf.image.convert_image_dtype(images, tf.float32)), atol=1e-6
    )
    model.compile("sgd")
    np.testing.assert_allclose(model.predict(images, verbose=0), features, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "jit_compile"),
    [
        ("lars", True),
        # What is not compiled learns in `tests/training/pretrain_test.py`.
        pytest.param("sgd", False, marks=pytest.mark.exhaustive),
        pytest.param("adamw", False, marks=pytest.mark.exhaustive),
        pytest.param("lars", False, marks=pytest.mark.exhaustive),
        pytest.param("sgd", True, marks=pytest.mark.exhaustive),
        pytest.param("adamw", True, marks=pytest.mark.exhaustive),
    ],
)
def test_learns_compiled_or_not(optimizer, jit_compile):
    model = small_model(temperature=0.5)
    rate = {"lars": 1.0, "sgd": 0.1, "adamw": 0.003}[optimizer]
    model.compile(make_optimizer(optimizer, rate), jit_compile=jit_compile)
    views = tf.data.Dataset.from_tensors(forms_of_data()["views"]).repeat()
    losses = [
        model.fit(views, steps_per_epoch=10, verbose=0).history["loss"][0]
        for _ in range(3)
    ]
    assert losses[2] < losses[1] < losses[0]


def test_steps_per_execution_gives_the_same_training():
    # In float32 eight steps make another difference on each processor.
    tf.keras.backend.set_floatx("float64")
    weights = []
    for settings in ({"run_eagerly": True}, {"steps_per_execution": 4}):
        model = small_model()
        model.compile(LARS(1.0), **settings)
        model.fit(batch_of_views(None).repeat(), steps_per_epoch=8, verbose=0)
        weights.append(model.get_weights())
    for one, four in zip(*weights):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, four, rtol=1e-9, atol=1e-12)


def test_the_views_of_a_step_depend_on_seed_and_step_alone():
    def losses(seed, steps):
        model = small_model(seed=seed)
        model.compile(tf.keras.optimizers.SGD(0.0), run_eagerly=True)
        return [
            model.train_on_batch(some_images(), return_dict=True, reset_metrics=True)[
                "loss"
            ]
            for _ in range(steps)
        ]

    first, second = losses(1, 2)
    assert losses(1, 2) == [first, second]
    assert losses(2, 1) != [first]
    assert first != second


@pytest.mark.parametrize(
    "policy",
    ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.exhaustive)],
)
def test_trains_under_mixed_precision(policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = small_model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(0.05))
    history = model.fit(batch_of_views(), epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model(some_images()).dtype == tf.float32
    assert model.encoder.layers[0].compute_dtype == policy[len("mixed_") :]
    for variable in model.trainable_variables:
        assert variable.dtype == tf.float32


def test_the_whole_model_trains_in_float64():
    tf.keras.backend.set_floatx("float64")
    model = small_model(num_classes=4)
    model.compile(LARS(0.5), run_eagerly=True)
    model.fit(some_images(), LABELS, epochs=2, verbose=0)
    assert model(some_images()).dtype == tf.float64
    for variable in model.trainable_variables:
        assert variable.dtype == tf.float64


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"temperature": -1}, "temperature"), ({"num_classes": 1}, "num_classes")],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small_model(**settings)


def test_a_batch_of_one_image_is_refused():
    model = small_model()
    model.compile(LARS(0.1))
    alone = tf.data.Dataset.from_tensors(some_images(1))
    with pytest.raises(ValueError, match="one image has no negatives"):
        model.fit(alone, verbose=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "computes its loss itself.*temperature"),
        ({"loss_weights": [1.0]}, "computes its loss itself"),
        ({"metrics": ["accuracy"]}, "computes its metrics itself.*probe_accuracy"),
        ({"weighted_metrics": ["accuracy"]}, "computes its metrics itself"),
    ],
)
def test_losses_and_metrics_of_the_users_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        small_model(num_classes=4).compile("sgd", **settings)


def test_an_encoder_that_expects_pixels_is_refused():
    encoder = small_encoder()
    pixels = tf.keras.Sequential([tf.keras.layers.Rescaling(1 / 255), encoder])
    with pytest.raises(UserError, match=r"simclr_tf.make_encoder\(model\)"):
        SimCLR(pixels, small_head())
    SimCLR(make_encoder(pixels, image_range=(0, 255)), small_head())
