"""LARS moves variables as the published optimizer does."""

import ast
import functools

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.optimizer import LARS, WarmupCosineDecay, make_optimizer

_NAMES = (
    "conv/kernel",
    "batch_normalization/gamma",
    "conv/bias",
    "head_supervised/linear_layer/dense/kernel",
    "zero/kernel",
)


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("jit_compile", [False, True])
def test_follows_the_published_trajectories(golden_folder, case, jit_compile):
    golden = np.load(golden_folder / "lars.npz")
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


def _moved(optimizer, name="dense/kernel", start=(1.0, 1.0)):
    variable = tf.Variable(start, name=name)
    optimizer.apply_gradients([(tf.constant([3.0, 4.0]), variable)])
    return variable.numpy()


def test_leaves_the_probe_out_as_the_command_line_does():
    moved = _moved(LARS(0.1, weight_decay=1.0), "sim_clr/probe/kernel")
    np.testing.assert_allclose(moved, [0.7, 0.6], rtol=1e-6)
    by_name = make_optimizer("lars", 0.1, weight_decay=1.0)
    assert LARS(0.1, weight_decay=1.0).get_config() == by_name.get_config()


def test_keras_method_excludes_names_and_variables_from_decay_alone():
    plain = _moved(LARS(0.1, weight_decay=0.0))
    decayed = _moved(LARS(0.1, weight_decay=9.0))
    assert not np.allclose(plain, decayed)
    named = LARS(0.1, weight_decay=9.0)
    named.exclude_from_weight_decay(var_names=["kernel"])
    again = LARS.from_config(named.get_config())
    np.testing.assert_array_equal(_moved(named), plain)
    np.testing.assert_array_equal(_moved(again), plain)
    # What the constructor excludes stays excluded.
    bias = LARS(0.1, weight_decay=9.0)
    bias.exclude_from_weight_decay(var_names=["kernel"])
    np.testing.assert_allclose(_moved(bias, "dense/bias"), [0.7, 0.6], rtol=1e-6)

    listed = LARS(0.1, weight_decay=9.0)
    variable = tf.Variable([1.0, 1.0], name="dense/kernel")
    listed.exclude_from_weight_decay(var_list=[variable])
    listed.apply_gradients([(tf.constant([3.0, 4.0]), variable)])
    np.testing.assert_array_equal(variable, plain)


def test_weight_decay_set_later_decays_once():
    later = LARS(0.1)
    later.weight_decay = 9.0
    np.testing.assert_array_equal(_moved(later), _moved(LARS(0.1, weight_decay=9.0)))
    assert later.get_config()["weight_decay"] == 9.0
    none = LARS(0.1, weight_decay=9.0)
    none.weight_decay = None
    np.testing.assert_array_equal(_moved(none), _moved(LARS(0.1)))


@pytest.mark.parametrize("make", [LARS, functools.partial(make_optimizer, "lars")])
@pytest.mark.parametrize(
    "settings",
    [
        {"momentum": 1.5},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"momentum": float("nan")},
        {"weight_decay": -1e-6},
        {"weight_decay": float("inf")},
        {"learning_rate": -0.1},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
    ],
)
def test_numbers_out_of_range_are_refused(make, settings):
    (name,) = settings
    with pytest.raises(UserError, match=f"{name} must lie in"):
        make(**{"learning_rate": 0.1, **settings})


@pytest.mark.parametrize("eta", [0.0, -1.0, float("nan"), float("inf")])
def test_eta_out_of_range_is_refused(eta):
    with pytest.raises(UserError, match="eta"):
        LARS(0.1, eta=eta)


@pytest.mark.parametrize("patterns", ["bias", [r"(bias"], [3]])
def test_exclusions_that_are_no_list_of_patterns_are_refused(patterns):
    for name in ("exclude_from_weight_decay", "exclude_from_layer_adaptation"):
        with pytest.raises(UserError, match=f"{name} must be a list of regular"):
            LARS(0.1, **{name: patterns})
    with pytest.raises(UserError, match="var_names must be a list of regular"):
        LARS(0.1).exclude_from_weight_decay(var_names=patterns)
