"""ResNet is the published architecture at every depth, width, stem and precision."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import ResNet
from simclr_tf.encoder.convolution import BatchNormRelu
from tests import sample_images

pytestmark = pytest.mark.slow

_SMALL = {"width_multiplier": 0.0625, "cifar_stem": True}
# One group of a block with a projection and one without, and one that strides.
_FORMS = {
    "basic": {"depth": 18, "blocks": (2, 1), **_SMALL},
    "bottleneck": {"depth": 50, "blocks": (2, 1), **_SMALL},
    "selective": {"depth": 50, "blocks": (2, 1), **_SMALL, "sk_ratio": 0.0625},
}
_EXHAUSTIVE = pytest.mark.exhaustive


def _images(count=4, size=16, dtype=tf.float32):
    images = tf.constant(sample_images.images(count, size)[0])
    return tf.image.convert_image_dtype(images, dtype)


def _trained(form, **settings):
    """A model of which no part is at rest, as none is after training."""
    tf.keras.utils.set_random_seed(1)
    model = ResNet(**{**_FORMS[form], **settings})
    model(_images())
    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            shape, dtype = layer.gamma.shape, layer.gamma.dtype
            layer.gamma.assign(tf.random.uniform(shape, 0.5, 1.0, dtype))
            layer.moving_mean.assign(tf.random.normal(shape, 0.0, 0.1, dtype))
    return model


_shared = functools.cache(_trained)  # For tests that change nothing.


@functools.cache
def _symbolic(depth, width, sk_ratio, blocks):
    """A model and its features, within a graph: variables take no memory there."""
    with tf.Graph().as_default():
        model = ResNet(depth, width_multiplier=width, sk_ratio=sk_ratio, blocks=blocks)
        # Half the time of a graph that could train too.
        return model, model(tf.zeros([1, 64, 64, 3]), training=False)


def _size(variables):
    return sum(variable.shape.num_elements() for variable in variables)


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [
        # The well-known numbers without their classifier. At 18 and 34 the shortcut
        # of the first group is a projection too: 64 * 64 weights, 2 * 64 of batch norm.
        (18, 11_689_512 - 513_000 + 4_224),
        pytest.param(34, 21_797_672 - 513_000 + 4_224, marks=_EXHAUSTIVE),
        (50, 25_557_032 - 2_049_000),
        pytest.param(101, 44_549_160 - 2_049_000, marks=_EXHAUSTIVE),
        pytest.param(152, 60_192_808 - 2_049_000, marks=_EXHAUSTIVE),
        pytest.param(200, 64_673_832 - 2_049_000, marks=_EXHAUSTIVE),
    ],
)
def test_has_as_many_parameters_as_the_architecture(depth, parameters):
    model, _ = _symbolic(depth, 1, 0.0, None)
    assert _size(model.trainable_variables) == parameters


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [
        (18, 11_689_512 - 513_000),
        pytest.param(50, 25_557_032 - 2_049_000, marks=_EXHAUSTIVE),
    ],
)
def test_torchvisions_has_as_many_parameters_as_torchvision_says(depth, parameters):
    """Its features are held to PyTorch's in checkpoints/torch_layout_test.py."""
    with tf.Graph().as_default():
        model = ResNet(depth, torchvision=True)
        model(tf.zeros([1, 64, 64, 3]), training=False)
        assert _size(model.trainable_variables) == parameters


def test_images_are_normalised_also_once_it_is_rebuilt():
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    settings = {"torchvision": True, "cifar_stem": False, "blocks": (1,)}
    model = _trained("basic", image_mean=mean, image_std=std, **settings)
    features = model(_images())
    config = json.loads(json.dumps(model.get_config()))
    assert config["image_std"] == list(std)
    bare = {**config, "image_mean": None, "image_std": None}
    again, plain = ResNet.from_config(config), ResNet.from_config(bare)
    for each in (again, plain):
        each(_images())
        each.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(_images()), features)
    np.testing.assert_allclose(plain((_images() - mean) / std), features, atol=1e-5)
    assert np.abs(plain(_images()) - features).max() > 0.01


@pytest.mark.parametrize(
    ("depth", "width", "sk_ratio", "millions"),
    [
        (50, 1, 0.0, 24),
        pytest.param(50, 1, 0.0625, 35, marks=_EXHAUSTIVE),
        pytest.param(50, 2, 0.0, 94, marks=_EXHAUSTIVE),
        pytest.param(50, 2, 0.0625, 140, marks=_EXHAUSTIVE),
        pytest.param(101, 1, 0.0625, 65, marks=_EXHAUSTIVE),
        pytest.param(152, 3, 0.0625, 795, marks=_EXHAUSTIVE),
    ],
)
def test_is_as_large_as_simclr_v2_says(depth, width, sk_ratio, millions):
    """Table 1 of the paper, which counts the moving statistics too."""
    model, _ = _symbolic(depth, width, sk_ratio, None)
    assert round(_size(model.variables) / 1e6) == millions


@pytest.mark.parametrize(
    ("depth", "multiplier", "sk_ratio", "blocks", "width"),
    [
        (18, 1, 0.0, None, 512),
        (50, 1, 0.0, None, 2048),
        pytest.param(50, 2, 0.0625, None, 4096, marks=_EXHAUSTIVE),
        pytest.param(18, 0.25, 0.0, (1, 1, 1, 1), 128, marks=_EXHAUSTIVE),
        (50, 0.3, 0.0, (1, 1, 1, 1), 4 * 153),
        (50, 1 / 64, 0.0625, (1, 1, 1, 1), 32),
    ],
)
def test_feature_width(depth, multiplier, sk_ratio, blocks, width):
    model, features = _symbolic(depth, multiplier, sk_ratio, blocks)
    assert features.shape == [1, width]
    assert model.feature_dim == width
    assert model.compute_output_shape((7, 64, 64, 3)) == (7, width)


@pytest.mark.parametrize(
    ("settings", "size", "sides"),
    [
        pytest.param({}, 224, [56, 56, 28, 14, 7], marks=_EXHAUSTIVE),
        ({"sk_ratio": 0.0625}, 224, [56, 56, 28, 14, 7]),
        ({"cifar_stem": True}, 32, [32, 32, 16, 8, 4]),
        pytest.param(
            {"cifar_stem": True, "sk_ratio": 0.0625},
            32,
            [32, 32, 16, 8, 4],
            marks=_EXHAUSTIVE,
        ),
        ({}, 97, [25, 25, 13, 7, 4]),
        pytest.param({"sk_ratio": 0.0625}, 97, [25, 25, 13, 7, 4], marks=_EXHAUSTIVE),
    ],
)
def test_sides_after_stem_and_groups(settings, size, sides):
    with tf.Graph().as_default():
        model = ResNet(50, width_multiplier=0.0625, blocks=(1, 1, 1, 1), **settings)
        images, got = tf.zeros([1, size, size, 3]), []
        for part in (model.stem, *model.groups):
            images = part(images, training=False)
            assert images.shape[1] == images.shape[2]
            got.append(images.shape[1])
    assert got == sides


@pytest.mark.parametrize(
    ("depth", "blocks", "width"), [(18, (1, 1, 1, 1), 512), (50, (1, 2), 512)]
)
def test_blocks_of_each_group_are_as_told(depth, blocks, width):
    model = ResNet(depth, blocks=blocks)
    assert tuple(len(group.layers) for group in model.groups) == blocks
    assert model.feature_dim == width
    config = json.loads(json.dumps(model.get_config()))
    assert config["blocks"] == list(blocks)
    again = ResNet.from_config(config)
    assert again.get_config() == model.get_config()
    assert ResNet(depth).get_config()["blocks"] is None


def _kernels(layer):
    """Side, step and channels of each convolution within a layer, in order."""
    convolutions = [
        each for each in layer.submodules if isinstance(each, tf.keras.layers.Conv2D)
    ]
    return sorted((c.kernel_size[0], c.strides[0], c.filters) for c in convolutions)


@pytest.mark.parametrize(
    ("settings", "kernels", "pools"),
    [
        ({}, [(7, 2, 64)], True),
        ({"cifar_stem": True}, [(3, 1, 64)], False),
        ({"sk_ratio": 0.0625}, [(3, 1, 32), (3, 1, 64), (3, 2, 32)], True),
        ({"sk_ratio": 0.0625, "cifar_stem": True}, [(3, 1, 64)], False),
    ],
)
def test_stem(settings, kernels, pools):
    model = ResNet(50, blocks=(1,), **settings)
    assert _kernels(model.stem) == kernels
    pooling = [
        layer
        for layer in model.stem.layers
        if isinstance(layer, tf.keras.layers.MaxPooling2D)
    ]
    assert len(pooling) == pools


@pytest.mark.parametrize("form", _FORMS)
def test_a_group_strides_once_on_a_3x3_kernel(form):
    model = ResNet(**_FORMS[form])
    for place, group in enumerate(model.groups):
        for block in group.layers:
            strided = [kernel for kernel in _kernels(block.branch) if kernel[1] != 1]
            first = block is group.layers[0]
            assert len(strided) == (place > 0 and first)
            assert all(side == 3 for side, _, _ in strided)


@pytest.mark.parametrize(
    "depth",
    [18, 34, 50, *(pytest.param(d, marks=_EXHAUSTIVE) for d in (101, 152, 200))],
)
def test_the_first_block_of_every_group_alone_has_a_projection(depth):
    model = ResNet(depth, **_SMALL)
    convolutions = {18: 2, 34: 2}.get(depth, 3)
    blocks = [block for group in model.groups for block in group.layers]
    assert 2 + convolutions * len(blocks) == depth
    for group in model.groups:
        first, *others = group.layers
        ((side, _, filters),) = _kernels(first.shortcut)
        assert side == 1
        assert filters == max(kernel[2] for kernel in _kernels(first.branch))
        assert others
        assert all(block.shortcut is None for block in others)


@pytest.mark.parametrize("form", _FORMS)
def test_blocks_start_as_their_shortcuts(form):
    model = ResNet(**_FORMS[form])
    features = model.stem(_images(), training=True)
    for group in model.groups:
        for block in group.layers:
            kept = features
            if block.shortcut is not None:
                kept = block.shortcut(features, training=True)
            features = block(features, training=True)
            np.testing.assert_array_equal(features, tf.nn.relu(kept))
    gammas = [
        layer.batch_normalization.gamma
        for layer in model.submodules
        if isinstance(layer, BatchNormRelu)
    ]
    at_rest = sum(not np.any(gamma.numpy()) for gamma in gammas)
    assert at_rest == sum(len(group.layers) for group in model.groups)
    assert sum(bool(np.all(gamma.numpy() == 1)) for gamma in gammas) == (
        len(gammas) - at_rest
    )


@pytest.mark.parametrize(
    "form", ["basic", pytest.param("bottleneck", marks=_EXHAUSTIVE), "selective"]
)
def test_gradients_reach_every_variable_and_statistics_move(form):
    model = _trained(form)
    before = [variable.numpy() for variable in model.non_trainable_variables]
    weights = tf.random.stateless_normal([4, model.feature_dim], [1, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(_images(), training=True) * weights)
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.isfinite(gradient).all()
        assert np.any(gradient.numpy())
    for variable, value in zip(model.non_trainable_variables, before):
        assert not np.array_equal(variable, value)
    moved = model(_images())
    np.testing.assert_array_equal(model(_images()), moved)
    assert not np.allclose(moved, model(_images(), training=True), atol=1e-3)


@pytest.mark.parametrize(
    "form",
    [
        "selective",
        *(pytest.param(f, marks=_EXHAUSTIVE) for f in ("basic", "bottleneck")),
    ],
)
def test_an_image_has_its_features_whatever_the_batch(form):
    model = _shared(form)
    images = _images(3)
    alone = [model(image[None])[0] for image in images]
    together = model(images)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 1e-2


@pytest.mark.parametrize(
    ("shape", "cifar_stem"),
    [
        ([2, 47, 61, 3], False),
        ([1, 33, 20, 1], True),
        pytest.param([3, 8, 8, 4], False, marks=_EXHAUSTIVE),
    ],
)
def test_takes_images_of_any_size_and_channels(shape, cifar_stem):
    model = ResNet(
        18, width_multiplier=0.0625, cifar_stem=cifar_stem, blocks=(1, 1, 1, 1)
    )
    features = model(tf.random.stateless_uniform(shape, [3, 4]))
    assert features.shape == [shape[0], 32]
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "form",
    [
        "selective",
        *(pytest.param(f, marks=_EXHAUSTIVE) for f in ("basic", "bottleneck")),
    ],
)
def test_compiles_for_xla_with_the_same_features(form):
    tf.keras.backend.set_floatx("float64")  # float32 rounds differently a machine.
    model, images = _trained(form, blocks=(1, 1)), _images(dtype=tf.float64)
    compiled = tf.function(lambda i: model(i, training=True), jit_compile=True)
    weights = model.get_weights()
    expected = model(images, training=True)
    model.set_weights(weights)
    np.testing.assert_allclose(compiled(images), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "form",
    [
        "selective",
        *(pytest.param(f, marks=_EXHAUSTIVE) for f in ("basic", "bottleneck")),
    ],
)
def test_float64_agrees_with_float32(form):
    expected = _shared(form)
    features = expected(_images())
    tf.keras.backend.set_floatx("float64")
    model = ResNet(**_FORMS[form])
    model(_images(dtype=tf.float64))
    model.set_weights(expected.get_weights())
    got = model(_images(dtype=tf.float64))
    assert got.dtype == tf.float64
    assert {variable.dtype for variable in model.variables} == {tf.float64}
    np.testing.assert_allclose(got, features, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("form", "policy"),
    [
        pytest.param("basic", "mixed_bfloat16", marks=_EXHAUSTIVE),
        pytest.param("bottleneck", "mixed_float16", marks=_EXHAUSTIVE),
        ("selective", "mixed_bfloat16"),
        pytest.param("basic", "mixed_float16", marks=_EXHAUSTIVE),
        pytest.param("bottleneck", "mixed_bfloat16", marks=_EXHAUSTIVE),
        pytest.param("selective", "mixed_float16", marks=_EXHAUSTIVE),
    ],
)
def test_mixed_precision_agrees_with_float32(form, policy):
    expected = _shared(form)
    features = expected(_images())
    tf.keras.mixed_precision.set_global_policy(policy)
    model = ResNet(**_FORMS[form])
    model(_images())
    model.set_weights(expected.get_weights())
    got = model(_images())
    assert got.dtype == policy[len("mixed_") :]
    assert {variable.dtype for variable in model.variables} == {tf.float32}
    spread = float(tf.math.reduce_std(features))
    error = np.abs(tf.cast(got, tf.float32) - features).mean()
    assert error < (0.1 if policy == "mixed_bfloat16" else 0.02) * spread


@pytest.mark.parametrize(
    "form",
    [
        "selective",
        *(pytest.param(f, marks=_EXHAUSTIVE) for f in ("basic", "bottleneck")),
    ],
)
def test_is_rebuilt_from_its_config(form):
    model = _trained(form, blocks=(1,), batch_norm_momentum=0.95, name="mine")
    config = tf.keras.saving.serialize_keras_object(model)
    again = tf.keras.saving.deserialize_keras_object(config)
    assert isinstance(again, ResNet)
    assert again.get_config() == model.get_config()
    assert again.name == "mine"
    again(_images())
    again.set_weights(model.get_weights())
    # Also after a training step, which the momentum shows in.
    for each in (model, again):
        each(_images(), training=True)
    np.testing.assert_array_equal(again(_images()), model(_images()))


@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        ("selective", ".keras"),
        pytest.param("basic", "", marks=_EXHAUSTIVE),
        pytest.param("basic", ".keras", marks=_EXHAUSTIVE),
        pytest.param("selective", "", marks=_EXHAUSTIVE),
    ],
)
def test_is_saved_and_loaded_as_a_model(form, suffix, tmp_path):
    model = _shared(form)
    model.save(tmp_path / f"model{suffix}")
    again = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    assert isinstance(again, ResNet)
    np.testing.assert_allclose(again(_images()), model(_images()), atol=1e-6)
    assert len(again.trainable_variables) == len(model.trainable_variables)


def test_weights_are_saved_and_loaded(tmp_path):
    model = _shared("bottleneck")
    model.save_weights(tmp_path / "some.weights.h5")
    model.save_weights(tmp_path / "some")
    for name in ("some.weights.h5", "some"):
        again = ResNet(**_FORMS["bottleneck"])
        again(_images())
        again.load_weights(tmp_path / name)
        np.testing.assert_array_equal(again(_images()), model(_images()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 20}, r"depth must be one of \(18, 34, 50, .*\), got 20"),
        ({"depth": 18, "width_multiplier": 0}, "width_multiplier must be .* got 0"),
        ({"depth": 18, "width_multiplier": 0.01}, "at least 1/64, got 0.01"),
        ({"depth": 18, "blocks": ()}, "blocks must be .* at least 1, got \\(\\)"),
        ({"depth": 18, "blocks": (1, 0)}, r"blocks must be .*, got \(1, 0\)"),
        ({"depth": 18, "sk_ratio": -0.1}, "sk_ratio must be at least 0, got -0.1"),
        (
            {"depth": 50, "sk_ratio": 0.1, "torchvision": True},
            r"sk_ratio must be 0, got 0\.1",
        ),
        ({"depth": 18, "image_std": (1.0, 0.0, 1.0)}, "image_std must be greater"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**settings)
