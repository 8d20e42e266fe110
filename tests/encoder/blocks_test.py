"""Residual blocks start as their shortcut and stride where version 1.5 does."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder.blocks import BasicBlock, BottleneckBlock

pytestmark = pytest.mark.slow

_KINDS = [(BasicBlock, 0.0), (BottleneckBlock, 0.0), (BottleneckBlock, 0.0625)]
_SK = 0.0625


def _images(channels, side=8):
    generator = np.random.default_rng(channels)
    return tf.constant(generator.normal(size=[2, side, side, channels]), tf.float32)


def _block(kind, filters=4, strides=1, project=False, sk_ratio=0.0):
    return kind(filters, strides, project=project, sk_ratio=sk_ratio, momentum=0.9)


def _gammas(layer):
    return [v for v in layer.trainable_variables if "gamma" in v.name]


def _awake(block):
    """Gives the last scale of the branch, which starts at 0, a value."""
    zero = [gamma for gamma in _gammas(block) if not np.any(gamma)]
    assert len(zero) == 1
    zero[0].assign(tf.ones_like(zero[0]))


@pytest.mark.parametrize(("kind", "sk_ratio"), _KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_a_new_block_passes_its_input_through_a_relu(kind, sk_ratio, training):
    images = _images(4 * kind.expansion)
    block = _block(kind, sk_ratio=sk_ratio)
    got = block(images, training=training)
    np.testing.assert_array_equal(got, np.maximum(images, 0.0))
    _awake(block)
    assert np.abs(block(images, training=training) - got).max() > 0.1


@pytest.mark.parametrize(("kind", "sk_ratio"), _KINDS)
def test_a_new_projecting_block_is_its_shortcut(kind, sk_ratio):
    images = _images(6)
    block = _block(kind, strides=2, project=True, sk_ratio=sk_ratio)
    got = block(images, training=True)
    assert got.shape == [2, 4, 4, 4 * kind.expansion]
    shortcut = block.shortcut(images, training=True)
    np.testing.assert_array_equal(got, np.maximum(shortcut, 0.0))
    assert np.min(shortcut) < -0.1
    assert np.max(shortcut) > 0.1


@pytest.mark.parametrize(("kind", "sk_ratio"), _KINDS)
def test_only_the_last_scale_of_the_branch_starts_at_zero(kind, sk_ratio):
    block = _block(kind, project=True, sk_ratio=sk_ratio)
    block(_images(6))
    last = block.branch.layers[-1].batch_normalization.gamma
    for gamma in _gammas(block):
        np.testing.assert_array_equal(gamma, 0.0 if gamma is last else 1.0)
    assert len(_gammas(block)) > 2


def _pixels_seen(layer, images):
    """Share of the input's pixels that the output depends on."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=False)
        loss = tf.reduce_sum(
            outputs * tf.random.stateless_normal(outputs.shape, [0, 1])
        )
    gradient = tape.gradient(loss, images)
    return float(np.mean(np.any(gradient != 0, axis=-1)))


def test_the_stride_sits_on_the_3x3_so_that_the_branch_sees_every_pixel():
    images = _images(6)
    block = _block(BottleneckBlock, filters=16, strides=2, project=True)
    block(images)
    _awake(block)
    assert _pixels_seen(block.branch, images) == 1.0
    assert _pixels_seen(block.shortcut, images) == 0.25
    strides = [
        (layer.convolution.kernel_size[0], layer.convolution.strides[0])
        for layer in block.branch.layers
        if hasattr(layer, "convolution")
    ]
    assert strides == [(1, 1), (3, 2), (1, 1)]


@pytest.mark.parametrize("kind", [BasicBlock, BottleneckBlock])
def test_the_shortcut_of_resnet_d_averages_what_the_other_skips(kind):
    images = _images(6)
    block = _block(kind, filters=16, strides=2, project=True, sk_ratio=_SK)
    block(images)
    assert _pixels_seen(block.shortcut, images) == 1.0
    assert _pixels_seen(block.shortcut.layers[1], images) == 1.0
    pooled = block.shortcut.layers[1](block.shortcut.layers[0](images))
    # Padded after the image, 2x2 windows of stride 2 meet no padding at even sizes.
    np.testing.assert_allclose(
        pooled, tf.nn.avg_pool2d(images, 2, 2, "VALID"), rtol=1e-6
    )


def test_the_shortcut_of_resnet_d_pools_without_stride_too():
    images = _images(6)
    block = _block(BottleneckBlock, project=True, sk_ratio=_SK)
    block(images)
    pooled = block.shortcut.layers[0](images)
    np.testing.assert_allclose(
        pooled, tf.nn.avg_pool2d(images, 2, 1, "SAME"), rtol=1e-6
    )


@pytest.mark.parametrize(("kind", "sk_ratio"), _KINDS)
@pytest.mark.parametrize("side", [1, 5, 8])
def test_strides_halve_any_side_rounding_up(kind, sk_ratio, side):
    block = _block(kind, strides=2, project=True, sk_ratio=sk_ratio)
    _half = -(-side // 2)
    shape = block(_images(6, side)).shape
    assert shape == [2, _half, _half, 4 * kind.expansion]


@pytest.mark.parametrize(("kind", "sk_ratio"), _KINDS)
def test_the_momentum_reaches_every_batch_norm(kind, sk_ratio):
    block = kind(4, 2, project=True, sk_ratio=sk_ratio, momentum=0.25)
    norms = [
        layer
        for layer in block.submodules
        if isinstance(layer, tf.keras.layers.BatchNormalization)
    ]
    assert len(norms) >= 3
    assert {norm.momentum for norm in norms} == {0.25}
