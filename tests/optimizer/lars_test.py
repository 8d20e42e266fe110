"""LARS moves variables as the published optimizer does."""

import ast

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.optimizer import LARS, WarmupCosineDecay

_NAMES = (
    "conv/kernel",
    "batch_normalization/gamma",
    "conv/bias",
    "head_supervised/linear_layer/dense/kernel",
    "zero/kernel",
)


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("jit_compile", [False, True])
def test_follows_the_published_trajectories(shared, case, jit_compile):
    golden = np.load(shared / "golden" / "lars.npz")
    config = ast.literal_eval(str(golden[f"{case}|config"]))
    config["eta"] = config.pop("eeta")
    config["nesterov"] = config.pop("use_nesterov", False)
    variables = [
        tf.Variable(golden[f"{case}|{name}|init"], name=name) for name in _NAMES
    ]
    optimizer = LARS(**config)
    optimizer.build(variables)

    @tf.function(jit_compile=jit_compile)
    def step(gradients):
        optimizer.apply_gradients(zip(gradients, variables))

    for done in range(1, 31):
        step([golden[f"{case}|{name}|grads"][done - 1] for name in _NAMES])
        if done in (1, 10, 30):
            for name, variable in zip(_NAMES, variables):
                np.testing.assert_allclose(
                    variable, golden[f"{case}|{name}|after{done}"], rtol=0, atol=1e-5
                )


def test_leaves_batch_norm_and_bias_out_by_default():
    names = [
        "batch_normalization_3/gamma",
        "bn1/gamma",
        "bn1/beta",
        "dense/bias",
    ]
    gradient = tf.constant([3.0, 4.0])
    for name in names:
        variable = tf.Variable([1.0, 1.0], name=name)
        optimizer = LARS(0.1, weight_decay=1.0)
        optimizer.apply_gradients([(gradient, variable)])
        np.testing.assert_allclose(variable, [0.7, 0.6], rtol=1e-6)
    kernel = tf.Variable([1.0, 1.0], name="dense/kernel")
    LARS(0.1).apply_gradients([(gradient, kernel)])
    step = 0.1 * 1e-3 * np.sqrt(2) / 5
    np.testing.assert_allclose(kernel, [1 - 3 * step, 1 - 4 * step], rtol=1e-6)


def test_is_rebuilt_from_its_config():
    schedule = WarmupCosineDecay(1.5, total_steps=100, warmup_steps=10)
    optimizer = LARS(
        schedule,
        momentum=0.8,
        weight_decay=1e-4,
        nesterov=True,
        classic_momentum=False,
        eta=0.02,
        exclude_from_weight_decay=["bias"],
        exclude_from_layer_adaptation=["kernel"],
    )
    again = tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(optimizer))
    assert isinstance(again, LARS)
    assert again.get_config() == optimizer.get_config()


def test_trains_in_float64_and_checkpoints_its_momentum(tmp_path):
    tf.keras.backend.set_floatx("float64")
    variable = tf.Variable([1.0, 2.0], dtype=tf.float64, name="kernel")
    optimizer = LARS(0.1, weight_decay=0.1)
    gradient = tf.constant([0.5, -0.5], tf.float64)
    optimizer.apply_gradients([(gradient, variable)])
    path = tf.train.Checkpoint(o=optimizer, v=variable).save(tmp_path / "state")
    optimizer.apply_gradients([(gradient, variable)])
    expected = variable.numpy()

    restored = tf.Variable([0.0, 0.0], dtype=tf.float64, name="kernel")
    fresh = LARS(0.1, weight_decay=0.1)
    fresh.build([restored])
    tf.train.Checkpoint(o=fresh, v=restored).restore(path).assert_consumed()
    fresh.apply_gradients([(gradient, restored)])
    np.testing.assert_array_equal(restored, expected)
