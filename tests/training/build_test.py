"""A recipe's settings reach the model, the views and the optimizer."""

import dataclasses

import numpy as np
import pytest

from simclr_tf.training import Recipe, build_augmenter, build_model
from simclr_tf.training.build import build_optimizer
from tests import tiny

pytestmark = pytest.mark.slow

RECIPE = Recipe(
    image_size=16,
    encoder="resnet18x0.0625",
    head_layers=2,
    head_hidden_dim=24,
    head_out_dim=10,
    temperature=0.35,
    color_strength=0.3,
    crop_min_area=0.4,
    precision="float32",
    epochs=10,
    warmup_epochs=2.5,
    batch_size=64,
    learning_rate=0.8,
    optimizer="sgd",
    seed=4,
).resolve()


def _weights(**changes):
    return build_model(dataclasses.replace(RECIPE, **changes)).get_weights()


def test_the_rate_rises_and_falls_again_over_epochs_that_are_added():
    """A quarter of them warms up, as of the first ten."""
    recipe = dataclasses.replace(RECIPE, extend_epochs="4,8")
    rates = _rates(recipe)
    np.testing.assert_array_equal(rates[:80], _rates(RECIPE)[:80])
    peak = 0.8 * 64 / 256
    np.testing.assert_allclose(
        [rates[step] for step in (80, 84, 88, 100, 112, 120, 128, 152, 176)],
        [0, peak / 2, peak, peak / 2, 0, peak / 2, peak, peak / 2, 0],
        rtol=1e-5,
        atol=1e-7,
    )
    # Each epoch began two steps later.
    later = _rates(recipe, offset=2)
    np.testing.assert_allclose(later[82:178], rates[80:176], rtol=1e-6)


def _rates(recipe, offset=0):
    schedule = build_optimizer(recipe, 8, offset)._learning_rate
    return schedule(np.arange(8 * recipe.all_epochs + 3)).numpy()


def test_the_model_is_that_of_the_recipe():
    model = build_model(RECIPE, num_classes=5)
    features = model(np.zeros([2, 16, 16, 3], np.uint8))
    assert features.shape == [2, 32]
    assert [w.shape[-1] for w in model.projection_head.trainable_weights] == [
        *(24, 24, 24),
        *(10, 10),
    ]
    assert model.probe.kernel.shape == [32, 5]
    assert build_model(RECIPE).probe is None
    assert model.method.temperature == 0.35
    assert model.seed == 4


@pytest.mark.parametrize(
    "encoder",
    [tiny.NAME, pytest.param(RECIPE.encoder, marks=pytest.mark.exhaustive)],
)
def test_weights_are_a_function_of_the_seed(encoder):
    weights, again, others = (
        _weights(encoder=encoder, seed=seed) for seed in (4, 4, 5)
    )
    for one, other in zip(weights, again):
        np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(*pair) for pair in zip(weights, others))


def test_views_follow_the_recipe_and_the_size_asked_for():
    assert RECIPE.views == "crop(0.4)|flip|jitter(0.3)|gray"
    blurred = dataclasses.replace(RECIPE, views=f"{RECIPE.views}|blur(0.7)")
    crop, _, jitter, _, blur = build_augmenter(blurred, 12).keyed_layers().values()
    assert (crop.height, crop.area) == (12, (0.4, 1.0))
    assert (jitter.strength, blur.probability) == (0.3, 0.7)
    images = np.zeros([3, 20, 20, 3], np.uint8)
    assert build_augmenter(RECIPE)(images).shape == [3, 16, 16, 3]
    assert build_augmenter(RECIPE, 12)(images).shape == [3, 12, 12, 3]


@pytest.mark.parametrize(
    ("scaling", "peak"),
    [("linear", 0.8 * 64 / 256), ("sqrt", 0.8 * 8), ("none", 0.8)],
)
@pytest.mark.parametrize("optimizer", ["sgd", "lars", "adamw"])
def test_the_rate_warms_up_to_its_scaled_peak_and_ends_at_0(optimizer, scaling, peak):
    recipe = dataclasses.replace(
        RECIPE, optimizer=optimizer, learning_rate_scaling=scaling
    )
    schedule = build_optimizer(recipe, steps_per_epoch=8)._learning_rate
    rates = [float(schedule(step)) for step in (0, 10, 20, 50, 80)]
    np.testing.assert_allclose(
        rates, [0.0, peak / 2, peak, peak / 2, 0.0], rtol=1e-5, atol=1e-7
    )
