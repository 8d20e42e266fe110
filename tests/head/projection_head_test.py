"""The projection head has the layers, and the batch norm, of the published one."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.head import ProjectionHead

_WIDTH = 12


def _features(count=64, width=_WIDTH):
    generator = np.random.default_rng(0)
    features = np.abs(generator.normal(size=[count, width]))
    return tf.constant(features, tf.float32)


def _shapes(head):
    """Shapes of what is trained, layer by layer."""
    return [
        {v.name.split(":")[0].split("/")[-1]: tuple(v.shape) for v in layer.weights}
        for layer in head.layers
    ]


def _norm(width, offset=True):
    names = ["gamma", *(["beta"] if offset else []), "moving_mean", "moving_variance"]
    return dict.fromkeys(names, (width,))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("hidden_dim", [None, 20])
def test_layers_of_every_number(num_layers, hidden_dim):
    head = ProjectionHead(num_layers=num_layers, hidden_dim=hidden_dim, out_dim=7)
    assert head(_features()).shape == [64, 7]
    hidden = hidden_dim or _WIDTH
    widths = [_WIDTH, *[hidden] * (num_layers - 1), 7]
    wanted = [
        {"kernel": (before, after), **_norm(after, offset=place < num_layers - 1)}
        for place, (before, after) in enumerate(zip(widths, widths[1:]))
    ]
    assert _shapes(head) == wanted


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_without_batch_norm_hidden_layers_have_a_bias_and_the_last_has_none(num_layers):
    head = ProjectionHead(num_layers=num_layers, out_dim=7, use_batch_norm=False)
    assert head(_features()).shape == [64, 7]
    hidden = {"kernel": (_WIDTH, _WIDTH), "bias": (_WIDTH,)}
    assert _shapes(head) == [*[hidden] * (num_layers - 1), {"kernel": (_WIDTH, 7)}]


@pytest.mark.parametrize(
    ("num_layers", "parameters"),
    # Published: a linear map without bias and its batch norm, 2048 wide and 128 last.
    [
        (1, 2048 * 128 + 128),
        (2, 2048 * 2048 + 2 * 2048 + 2048 * 128 + 128),
        (3, 2 * (2048 * 2048 + 2 * 2048) + 2048 * 128 + 128),
    ],
)
def test_size_behind_a_resnet_50(num_layers, parameters):
    head = ProjectionHead(num_layers=num_layers)
    head.build([None, 2048])
    trained = sum(v.shape.num_elements() for v in head.trainable_variables)
    assert trained == parameters


def test_no_layers_are_the_identity():
    head = ProjectionHead(num_layers=0)
    features = _features()
    np.testing.assert_array_equal(head(features, training=True), features)
    assert head.weights == []
    assert len(head.layer_outputs(features)) == 1


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_every_layer_is_normalised_and_all_but_the_last_rectified(num_layers):
    head = ProjectionHead(num_layers=num_layers, out_dim=7)
    features = 3.0 + _features()
    first, *outputs = head.layer_outputs(features, training=True)
    np.testing.assert_array_equal(first, features)
    assert len(outputs) == num_layers
    for output in outputs[:-1]:
        assert np.min(output) == 0.0
        assert 0.3 < np.mean(output == 0) < 0.7
    # The kernels start at 0.01, so that the epsilon of batch norm is felt.
    np.testing.assert_allclose(np.mean(outputs[-1], axis=0), 0.0, atol=1e-5)
    assert 0.5 < np.std(outputs[-1], axis=0).min() < 1.0
    assert np.min(outputs[-1]) < -0.5


def test_layer_outputs_end_with_what_the_head_gives():
    head = ProjectionHead(num_layers=3, out_dim=7)
    features = _features()
    outputs = head.layer_outputs(features, training=False)
    assert [output.shape[-1] for output in outputs] == [_WIDTH, _WIDTH, _WIDTH, 7]
    np.testing.assert_array_equal(outputs[-1], head(features, training=False))


def test_is_the_published_composition():
    """Each layer by hand: linear map, batch norm over the batch, ReLU."""
    head = ProjectionHead(num_layers=3, out_dim=7)
    features = _features()
    head(features)
    generator = np.random.default_rng(1)
    for variable in head.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    wanted = features.numpy().astype(np.float64)
    for place, layer in enumerate(head.layers):
        values = {v.name.split(":")[0].split("/")[-1]: v.numpy() for v in layer.weights}
        wanted = wanted @ values["kernel"]
        wanted = (wanted - wanted.mean(0)) / np.sqrt(wanted.var(0) + 1e-5)
        wanted = wanted * values["gamma"] + values.get("beta", 0.0)
        if place < 2:
            wanted = np.maximum(wanted, 0.0)
    got = head(features, training=True)
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def test_batch_norm_is_that_of_the_encoder_with_the_published_constants():
    head = ProjectionHead(num_layers=3)
    head(_features())
    norms = [m for m in head.submodules if isinstance(m, SyncBatchNormalization)]
    assert len(norms) == 3
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-5)}


def test_built_twice_it_has_its_layers_once():
    head = ProjectionHead(num_layers=2, out_dim=7)
    for width in (5, _WIDTH):
        head.build([None, width])
        assert len(head.layers) == 2
        assert len(head.trainable_variables) == 5
    assert head(_features()).shape[-1] == 7


def test_kernels_start_as_published():
    head = ProjectionHead(num_layers=2)
    head.build([None, 512])
    kernels = [v for v in head.trainable_variables if "kernel" in v.name]
    assert len(kernels) == 2
    for kernel in kernels:
        assert np.std(kernel) == pytest.approx(0.01, rel=0.03)


def test_inference_uses_and_keeps_the_moving_statistics():
    head = ProjectionHead(out_dim=7)
    features = _features()
    alone = head(features[:1], training=False)
    np.testing.assert_allclose(head(features, training=False)[:1], alone, atol=1e-6)
    before = head.get_weights()
    head(features, training=False)
    for old, new in zip(before, head.get_weights()):
        np.testing.assert_array_equal(old, new)
    head(features, training=True)
    assert np.abs(head(features[:1], training=False) - alone).max() > 1e-4


@pytest.mark.parametrize("num_layers", [0, 3])
@pytest.mark.parametrize(
    ("policy", "dtype"),
    [
        ("float64", "float64"),
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float16"),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_follows_a_policy_of_its_own_or_of_everything(
    num_layers, policy, dtype, everywhere
):
    if everywhere:
        tf.keras.mixed_precision.set_global_policy(policy)
    head = ProjectionHead(
        num_layers=num_layers, out_dim=7, dtype=None if everywhere else policy
    )
    assert head(_features(), training=True).dtype == dtype
    kept = "float64" if policy == "float64" else "float32"
    assert {v.dtype for v in head.weights} <= {tf.as_dtype(kept)}
    assert len(head.weights) == (14 if num_layers else 0)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_layers": 2, "hidden_dim": 5, "out_dim": 3, "use_batch_norm": False},
    ],
)
def test_is_rebuilt_from_its_config(settings):
    head = ProjectionHead(**settings, name="projection")
    again = tf.keras.layers.deserialize(tf.keras.layers.serialize(head))
    assert isinstance(again, ProjectionHead)
    assert again.get_config() == head.get_config()
    assert again.name == "projection"
    features = _features()
    head(features)
    again(features)
    again.set_weights(head.get_weights())
    np.testing.assert_array_equal(again(features), head(features))


@pytest.mark.slow
@pytest.mark.parametrize(
    "num_layers", [3, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (0, 1))]
)
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "folder"])
def test_is_saved_in_a_model_after_training(tmp_path, num_layers, name):
    head = ProjectionHead(num_layers=num_layers, out_dim=7)
    model = tf.keras.Sequential([tf.keras.Input([_WIDTH]), head])
    features = _features()
    model(features, training=True)
    model.save(tmp_path / name)
    loaded = tf.keras.models.load_model(tmp_path / name)
    assert isinstance(loaded.layers[-1], ProjectionHead)
    np.testing.assert_array_equal(
        loaded(features, training=False), model(features, training=False)
    )


def test_keeps_its_policy_when_loaded_elsewhere(tmp_path):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = tf.keras.Sequential([tf.keras.Input([_WIDTH]), ProjectionHead(out_dim=7)])
    wanted = model(_features(), training=False)
    model.save(tmp_path / "model.keras")
    tf.keras.mixed_precision.set_global_policy("float32")
    got = tf.keras.models.load_model(tmp_path / "model.keras")(_features())
    assert got.dtype == wanted.dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(got, "float32"), tf.cast(wanted, "float32"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_layers": 4}, "num_layers must be 0, 1, 2 or 3, got 4"),
        ({"num_layers": -1}, "num_layers must be 0, 1, 2 or 3, got -1"),
        ({"hidden_dim": 0}, "hidden_dim must be at least 1, got 0"),
        ({"out_dim": 0}, "out_dim must be at least 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ProjectionHead(**settings)
