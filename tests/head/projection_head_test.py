"""The head has the published layers, from none to three."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.head import ProjectionHead


def representations(dtype="float32"):
    return tf.cast(tf.random.stateless_normal([8, 24], [1, 2]), dtype)


def test_no_layer_is_the_identity():
    head = ProjectionHead(num_layers=0)
    h = representations()
    np.testing.assert_array_equal(head(h, training=True), h)
    assert head.variables == []


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_widths(num_layers, hidden_dim):
    head = ProjectionHead(num_layers=num_layers, hidden_dim=hidden_dim, out_dim=5)
    head.build(representations().shape)
    outputs = head.layer_outputs(representations())
    widths = [output.shape[-1] for output in outputs]
    assert widths == [24] + [hidden_dim or 24] * (num_layers - 1) + [5]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_each_layer_is_linear_then_batch_norm_and_the_last_has_no_offset(num_layers):
    head = ProjectionHead(num_layers=num_layers)
    h = representations()
    head.build(h.shape)
    outputs = head.layer_outputs(h, training=True)
    for place, layer in enumerate(head.layers):
        dense, norm = layer.layers[0], layer.layers[1]
        last = place == num_layers - 1
        assert not dense.use_bias
        assert (norm.beta is None) == last
        linear = outputs[place].numpy() @ dense.kernel.numpy()
        normed = (linear - linear.mean(0)) / np.sqrt(linear.var(0) + norm.epsilon)
        expected = normed if last else np.maximum(normed, 0.0)
        np.testing.assert_allclose(outputs[place + 1], expected, atol=2e-4)


def test_without_batch_norm_hidden_layers_have_a_bias():
    head = ProjectionHead(num_layers=3, use_batch_norm=False)
    head(representations())
    biased = [layer.layers[0].use_bias for layer in head.layers]
    assert biased == [True, True, False]
    assert all("gamma" not in variable.name for variable in head.variables)


@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_rebuilds_from_its_config(num_layers):
    head = ProjectionHead(num_layers=num_layers, hidden_dim=7, out_dim=3, name="g")
    expected = head(representations())
    again = ProjectionHead.from_config(head.get_config())
    again(representations())
    again.set_weights(head.get_weights())
    np.testing.assert_array_equal(again(representations()), expected)


@pytest.mark.parametrize(
    ("policy", "dtype"), [("mixed_bfloat16", "bfloat16"), ("float64", "float64")]
)
def test_computes_in_the_policys_dtype(policy, dtype):
    tf.keras.mixed_precision.set_global_policy(policy)
    head = ProjectionHead(num_layers=2)
    assert head(representations(dtype), training=True).dtype == dtype


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_layers": 4}, "num_layers must be 0, 1, 2 or 3, got 4"),
        ({"hidden_dim": 0}, "hidden_dim must be at least 1"),
        ({"out_dim": 0}, "out_dim must be at least 1"),
    ],
)
def test_what_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ProjectionHead(**settings)
