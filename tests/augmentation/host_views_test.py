"""Views made image by image are those of the whole batch."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import (
    SimCLRAugmenter,
    StatelessAugmentation,
    views_of_crops_on_host,
    views_on_host,
)

pytestmark = pytest.mark.slow

_SEEDS = tf.constant(np.random.default_rng(0).integers(-(2**31), 2**31, [48, 2]))
# Between them the images meet every branch: each order, blur, grey, flip and none.
_CASES = {
    "small": {"image_size": 20, "blur": False, "color_strength": 0.5},
    "additive": {"image_size": 24, "blur": False, "brightness_rule": "additive"},
    "colour left alone": {"image_size": 16, "color_strength": 0.0, "blur": False},
    "large": {"image_size": 64},
    "additive and blurred": {"image_size": 20, "brightness_rule": "additive"},
}


@functools.cache
def _small():
    augmenter = SimCLRAugmenter(**_CASES["small"])
    return augmenter, _compiled(augmenter)


def _compiled(augmenter):
    def made(images, seeds, *, sizes=None):
        return views_on_host(augmenter, images, seeds, sizes=sizes)

    # Batches are made without AutoGraph too.
    return tf.function(made, jit_compile=True, autograph=False)


@pytest.fixture(scope="module")
def images(images_npz):
    with np.load(images_npz) as arrays:
        return tf.constant(arrays["x_train"][:48])


@pytest.mark.parametrize(
    "case",
    [
        "small",
        *(
            pytest.param(case, marks=pytest.mark.exhaustive)
            for case in _CASES
            if case != "small"
        ),
    ],
)
def test_views_are_those_of_the_batch(images, case):
    augmenter = SimCLRAugmenter(**_CASES[case])
    made = _small()[1] if case == "small" else _compiled(augmenter)
    got = made(images, _SEEDS)
    expected = augmenter.two_views(images, _SEEDS)
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, expected, atol=5e-6)


@pytest.mark.exhaustive
def test_in_float64_they_are_the_same_to_its_rounding(images):
    tf.keras.backend.set_floatx("float64")
    try:
        augmenter = SimCLRAugmenter(64)
        got = _compiled(augmenter)(images, _SEEDS)
        expected = augmenter.two_views(images, _SEEDS)
    finally:
        tf.keras.backend.set_floatx("float32")
    assert got.dtype == tf.float64
    # Cutting the blur where a tap no longer counts is all that differs.
    np.testing.assert_allclose(got, expected, atol=1e-13)


@pytest.mark.exhaustive  # `pipeline_views_test.py` has it too.
def test_crops_are_drawn_on_the_originals_of_canvases(images):
    augmenter = SimCLRAugmenter(24, blur=False)
    sizes = tf.constant([[64, 20]] * 48)
    got = _compiled(augmenter)(images, _SEEDS, sizes=sizes)
    expected = augmenter.two_views(images, _SEEDS, sizes=sizes)
    np.testing.assert_allclose(got, expected, atol=5e-6)


@pytest.mark.parametrize(
    "case",
    ["additive and blurred", pytest.param("large", marks=pytest.mark.exhaustive)],
)
def test_views_of_crops_are_those_of_the_batch(images, case):
    augmenter = SimCLRAugmenter(**_CASES[case])
    boxes = augmenter.crop_boxes(_SEEDS, tf.constant([[32, 32]] * 48))
    unit = tf.cast(images, tf.float32) / 255.0
    crops = tf.stack(
        [
            augmenter.crop.augment_images(unit, {"boxes": boxes[:, view]})
            for view in (0, 1)
        ],
        axis=1,
    )
    # The crops and the other layers' draws are those of the images' views.
    sizes = tf.constant([[32, 32]] * 48)
    views = augmenter.views_of_crops(crops, _SEEDS, sizes)
    np.testing.assert_allclose(views, augmenter.two_views(images, _SEEDS), atol=5e-6)

    crops = tf.cast(tf.clip_by_value(tf.round(255.0 * crops), 0, 255), tf.uint8)
    made = tf.function(
        functools.partial(views_of_crops_on_host, augmenter),
        jit_compile=True,
        autograph=False,
    )
    expected = augmenter.views_of_crops(crops, _SEEDS, sizes)
    got = made(crops, _SEEDS, sizes)
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, expected, atol=5e-6)


@pytest.mark.parametrize(
    "blur", [pytest.param(False, marks=pytest.mark.exhaustive), True]
)
def test_no_draw_is_a_constant_that_is_compiled_for(images, blur):
    """Else each batch would be: what is constant is no parameter of the program."""
    made = _compiled(SimCLRAugmenter(24, blur=blur))
    sizes = tf.constant([[64, 20]] * 48)
    hlo = made.experimental_get_compiler_ir(images, _SEEDS, sizes=sizes)(stage="hlo")
    entry = hlo[hlo.index("ENTRY") :]
    assert entry.count(" parameter(") == 3  # images, seeds, sizes


def test_floating_point_images_are_taken_as_they_are(images):
    augmenter, made = _small()
    few, seeds = np.asarray(images)[:1], _SEEDS[:1]
    expected = made(images, _SEEDS)[:1]
    # Not compiled anew: that takes seconds.
    for same in (few, few.astype(np.float32) / np.float32(255.0)):
        got = views_on_host(augmenter, same, seeds)
        np.testing.assert_allclose(got, expected, atol=1e-6)


class _Negative(StatelessAugmentation):
    """An augmentation that says nothing of single images."""

    def sample(self, seeds, sizes):
        return {"negative": seeds[:, 0] > 0}

    def augment_images(self, images, transformations, **_):
        negative = transformations["negative"][:, None, None, None]
        return tf.where(negative, 1.0 - images, images)


@pytest.mark.exhaustive  # `registry_test.py` has a newcomer's with two methods.
def test_a_layer_that_knows_batches_alone_will_do(images):
    augmenter = SimCLRAugmenter(20, blur=False)
    augmenter.after_flip = [_Negative()]
    got = _compiled(augmenter)(images, _SEEDS)
    expected = augmenter.two_views(images, _SEEDS)
    np.testing.assert_allclose(got, expected, atol=5e-6)
