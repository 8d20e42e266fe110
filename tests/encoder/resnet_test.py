"""The published architecture, at every depth and width."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import ResNet
from simclr_tf.encoder.convolution import Convolution


def images(size, count=2, dtype="float32"):
    return tf.cast(tf.random.stateless_uniform([count, size, size, 3], [1, 2]), dtype)


def trainable(model):
    return sum(int(tf.size(variable)) for variable in model.trainable_variables)


def blocks(model):
    return [block for group in model.groups for block in group.layers]


# Those of torchvision's models without the classifier; 18 and 34 have here, as in
# the published code, one more projection of 64 channels: 64 * 64 + 2 * 64.
@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(18, 11_176_512 + 4_224), (34, 21_284_672 + 4_224), (50, 23_508_032)],
)
def test_as_many_parameters_as_everyone_counts(depth, parameters):
    model = ResNet(depth)
    model.build((None, 64, 64, 3))
    assert trainable(model) == parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "parameters"), [(101, 42_500_160), (152, 58_143_808)]
)
def test_deep_ones_too(depth, parameters):
    model = ResNet(depth)
    model.build((None, 64, 64, 3))
    assert trainable(model) == parameters


def test_selective_kernels_cost_what_the_second_paper_says():
    """Table 1 there: ResNet-50 has 24 million parameters, 35 with them."""
    model = ResNet(50, sk_ratio=0.0625)
    model.build((None, 64, 64, 3))
    assert round(trainable(model) / 1e6) == 35


@pytest.mark.parametrize(
    ("depth", "width", "dim"), [(18, 0.25, 128), (34, 0.5, 256), (50, 0.125, 256)]
)
def test_features_are_as_wide_as_stated(depth, width, dim):
    model = ResNet(depth, width_multiplier=width)
    assert model(images(40)).shape == (2, dim)
    assert model.feature_dim == dim
    assert model.compute_output_shape(tf.TensorShape([5, 40, 40, 3])) == (5, dim)


def test_cifar_stem_keeps_the_resolution_and_the_usual_one_quarters_it():
    for cifar_stem, side in ((True, 32), (False, 8)):
        model = ResNet(18, width_multiplier=0.125, cifar_stem=cifar_stem)
        assert model.stem(images(32)).shape == (2, side, side, 8)


def test_every_branch_starts_as_nothing():
    """The last scale of each branch is 0, so a block is its shortcut at first."""
    for depth in (18, 50):
        model = ResNet(depth, width_multiplier=0.125, cifar_stem=True)
        model(images(16))
        for block in blocks(model):
            last = block.branch.layers[-1].batch_normalization
            np.testing.assert_array_equal(last.gamma, np.zeros_like(last.gamma))
        block = model.groups[0].layers[1]
        x = tf.nn.relu(
            tf.random.stateless_normal([2, 8, 8, 8 * block.expansion], [1, 1])
        )
        np.testing.assert_array_equal(block(x), x)


def test_first_block_of_every_group_projects_and_the_3x3_strides():
    model = ResNet(50, width_multiplier=0.125)
    for place, group in enumerate(model.groups):
        shortcuts = [block.shortcut is not None for block in group.layers]
        assert shortcuts == [True] + [False] * (len(shortcuts) - 1)
        convolutions = [
            layer.convolution
            for layer in group.layers[0].branch.layers
            if isinstance(layer, Convolution)
        ]
        strides = [(c.kernel_size, c.strides) for c in convolutions]
        step = (2, 2) if place else (1, 1)
        assert strides == [((1, 1), (1, 1)), ((3, 3), step), ((1, 1), (1, 1))]


@pytest.mark.parametrize("sk_ratio", [0.0, 0.0625])
def test_training_moves_statistics_and_inference_uses_them(sk_ratio):
    model = ResNet(50, width_multiplier=0.125, sk_ratio=sk_ratio)
    batch = images(32, count=4)
    before = model(batch, training=False)
    model(batch, training=True)
    moved = model(batch, training=False)
    assert not np.allclose(before, moved)
    np.testing.assert_array_equal(model(batch, training=False), moved)


@pytest.mark.parametrize("sk_ratio", [0.0, 0.0625])
def test_rebuilds_from_its_config_with_the_same_weights(sk_ratio):
    model = ResNet(
        18, width_multiplier=0.25, sk_ratio=sk_ratio, cifar_stem=not sk_ratio, name="e"
    )
    expected = model(images(24))
    again = ResNet.from_config(model.get_config())
    again(images(24))
    again.set_weights(model.get_weights())
    assert again.name == "e"
    np.testing.assert_array_equal(again(images(24)), expected)


def test_computes_in_the_policys_dtype_with_float32_variables():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = ResNet(18, width_multiplier=0.125, cifar_stem=True)
    assert model(images(16)).dtype == tf.bfloat16
    assert {variable.dtype for variable in model.variables} == {tf.float32}


def test_float64_throughout():
    tf.keras.backend.set_floatx("float64")
    model = ResNet(18, width_multiplier=0.125, cifar_stem=True)
    assert model(images(16, dtype="float64"), training=True).dtype == tf.float64
    assert {variable.dtype for variable in model.variables} == {tf.float64}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 19}, "depth must be one of .*got 19"),
        ({"depth": 18, "width_multiplier": 0.001}, "width_multiplier must be at least"),
        ({"depth": 50, "sk_ratio": -1.0}, "sk_ratio must be at least 0, got -1.0"),
    ],
)
def test_what_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**settings)
