"""Batch norm of the global batch: Keras' own on one replica, the same on several."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization

REPLICAS = 4
SHAPES = {"rank 2": [32, 6], "rank 4": [16, 3, 5, 6], "rank 5": [8, 2, 3, 2, 6]}


def _among(strategy, given):
    """What the layer gives of each case, by its name and what it is."""
    count = strategy.num_replicas_in_sync

    def pieces(array):
        parts = tf.split(array, count)
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    got = {}
    for (name, policy, mode), case in given.items():
        with strategy.scope():
            layer = SyncBatchNormalization(momentum=0.7, epsilon=1e-5, dtype=policy)
            layer.build(case["inputs"].shape)
            layer.gamma.assign(case["gamma"])
            layer.beta.assign(case["beta"])
            layer.trainable = mode != "frozen"

        @tf.function
        def step(inputs, weights, layer=layer, mode=mode):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=mode != "inference")
                loss = tf.reduce_sum(tf.cast(outputs, weights.dtype) * weights)
            gradients = tape.gradient(loss, [inputs, layer.gamma, layer.beta])
            context = tf.distribute.get_replica_context()
            summed = (context.all_reduce("sum", g) for g in gradients[1:])
            return outputs, gradients[0], *summed

        inputs = tf.cast(case["inputs"], layer.compute_dtype)
        results = strategy.run(step, (pieces(inputs), pieces(case["weights"])))
        results = [strategy.experimental_local_results(result) for result in results]
        moving = (layer.moving_mean, layer.moving_variance)
        moving = [strategy.experimental_local_results(values) for values in moving]
        for values in (*results[2:], *moving):
            for value in values[1:]:
                np.testing.assert_array_equal(value, values[0])
        values = [tf.concat(result, 0) for result in results[:2]]
        values += [result[0] for result in (*results[2:], *moving)]
        names = ("outputs", "d_inputs", "d_gamma", "d_beta", "mean", "variance")
        for what, value in zip(names, values):
            got[name, what, policy, mode] = tf.cast(value, tf.float64).numpy()
    return got


CASES = [
    *(
        (name, policy, "training")
        for name in SHAPES
        for policy in ("float32", "float64")
    ),
    ("rank 4", "mixed_bfloat16", "training"),
    ("rank 4", "float32", "inference"),
    ("rank 4", "float32", "frozen"),
    ("offset", "float32", "training"),
]


# Of the largest value, in float32, where the mean is 20,000 deviations: it keeps the
# mean to a rounding or two, hence the deviation, and what is divided by it, to 1e-2.
_OFFSET = {
    "outputs": 2e-2,
    "d_inputs": 2e-2,
    "d_gamma": 2e-2,
    "d_beta": 1e-5,
    "mean": 1e-6,
    "variance": 1e-4,
}


def _inputs(shape, mean=0.5, deviation=2.0):
    # Examples differ in mean, so that a replica's statistics are not the batch's.
    generator = np.random.default_rng(0)
    drift = np.linspace(-1.0, 1.0, shape[0]).reshape([-1] + [1] * (len(shape) - 1))
    return mean + deviation * (generator.normal(size=shape) + drift)


def _case(name):
    """Inputs, weights of the loss, gamma and beta."""
    if name == "offset":
        inputs = _inputs(SHAPES["rank 4"], mean=1e3, deviation=0.05)
        inputs = inputs.astype(np.float32).astype(np.float64)
    else:
        inputs = _inputs(SHAPES[name])
    generator = np.random.default_rng(1)
    channels = inputs.shape[-1]
    return {
        "inputs": inputs,
        "weights": generator.normal(size=inputs.shape),
        "gamma": generator.uniform(0.5, 2.0, channels),
        "beta": generator.normal(size=channels),
    }


@pytest.fixture(scope="module")
def on_replicas(replicas):
    """What the layer gives on several replicas, by case."""
    return replicas(REPLICAS).run(_among, given={key: _case(key[0]) for key in CASES})


def _whole_batch(name, mode, layer_dtype):
    """What Keras' layer gives for the whole batch at once, computed in float64.

    The moving variance is the exception: whether Keras takes the unbiased one
    depends on dtype and rank, so that part is computed in the layer's dtype.
    """
    case = {key: tf.constant(value) for key, value in _case(name).items()}
    layer = _built(tf.keras.layers.BatchNormalization, case, "float64", mode)
    with tf.GradientTape() as tape:
        tape.watch(case["inputs"])
        outputs = layer(case["inputs"], training=mode != "inference")
        loss = tf.reduce_sum(outputs * case["weights"])
    gradients = tape.gradient(loss, [case["inputs"], layer.gamma, layer.beta])
    twin = _built(tf.keras.layers.BatchNormalization, case, layer_dtype, mode)
    twin(tf.cast(case["inputs"], twin.compute_dtype), training=mode != "inference")
    names = ("outputs", "d_inputs", "d_gamma", "d_beta", "mean", "variance")
    values = (outputs, *gradients, layer.moving_mean, twin.moving_variance)
    return {what: value.numpy() for what, value in zip(names, values)}


def _built(kind, case, policy, mode="training"):
    layer = kind(momentum=0.7, epsilon=1e-5, dtype=policy)
    layer.build(case["inputs"].shape)
    layer.gamma.assign(tf.cast(case["gamma"], layer.gamma.dtype))
    layer.beta.assign(tf.cast(case["beta"], layer.beta.dtype))
    layer.trainable = mode != "frozen"
    return layer


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 4")
@pytest.mark.parametrize(("name", "policy", "mode"), CASES)
def test_replicas_together_see_the_whole_batch(on_replicas, name, policy, mode):
    tolerance = {"float64": 1e-10, "float32": 1e-4, "mixed_bfloat16": 3e-2}[policy]
    for what, wanted in _whole_batch(name, mode, policy).items():
        got = on_replicas[name, what, policy, mode]
        allowed = tolerance * max(1.0, np.abs(wanted).max())
        if name == "offset":
            allowed = _OFFSET[what] * np.abs(wanted).max()
        if what in ("mean", "variance"):
            allowed = max(allowed, 1e-7)  # Keras keeps the momentum in float32.
        np.testing.assert_allclose(got, wanted, rtol=0, atol=allowed, err_msg=what)


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 4")
@pytest.mark.parametrize("mode", ["inference", "frozen"])
def test_replicas_leave_the_moving_statistics_alone_outside_training(on_replicas, mode):
    np.testing.assert_array_equal(on_replicas["rank 4", "mean", "float32", mode], 0.0)
    np.testing.assert_array_equal(
        on_replicas["rank 4", "variance", "float32", mode], 1.0
    )


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 4")
def test_replicas_keep_a_small_variance_beside_a_large_mean(on_replicas):
    variance = on_replicas["offset", "variance", "float32", "training"] - 0.7
    exact = 0.3 * np.var(_case("offset")["inputs"], axis=(0, 1, 2))
    # E[x^2] - E[x]^2 would be off by some 0.1, twenty times the variance itself.
    np.testing.assert_allclose(variance, exact, rtol=0.02)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "policy", ["float32", "float64", "mixed_float16", "mixed_bfloat16"]
)
@pytest.mark.parametrize("training", [True, False, None])
def test_one_replica_is_the_keras_layer(name, policy, training):
    case = {key: tf.constant(value) for key, value in _case(name).items()}
    everything = []
    for kind in (SyncBatchNormalization, tf.keras.layers.BatchNormalization):
        layer = _built(kind, case, policy)
        inputs = tf.cast(case["inputs"], layer.compute_dtype)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
            loss = tf.reduce_sum(outputs * tf.cast(case["weights"], outputs.dtype))
        assert outputs.dtype == layer.compute_dtype
        gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
        everything.append([outputs, *gradients, *layer.weights])
    for ours, keras in zip(*everything):
        assert ours.dtype == keras.dtype
        np.testing.assert_array_equal(ours, keras)


@pytest.mark.parametrize("name", ["rank 2", "rank 4"])
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 2e-2), ("float64", 1e-9)]
)
def test_one_replica_keeps_a_small_variance_beside_a_large_mean(
    name, policy, tolerance
):
    inputs = _inputs(SHAPES[name], mean=1e3, deviation=0.05).astype(np.float32)
    layer = SyncBatchNormalization(epsilon=1e-5, dtype=policy)
    got = layer(tf.cast(inputs, policy), training=True)
    exact = inputs.astype(np.float64)
    axes = tuple(range(exact.ndim - 1))
    deviation = np.sqrt(exact.var(axes) + 1e-5)
    np.testing.assert_allclose(
        got, (exact - exact.mean(axes)) / deviation, atol=tolerance
    )


def test_is_rebuilt_from_its_config_and_saved_in_a_model(tmp_path):
    layer = SyncBatchNormalization(momentum=0.8, epsilon=1e-4, center=False, name="bn")
    model = tf.keras.Sequential([tf.keras.Input([6]), layer])
    model(_inputs(SHAPES["rank 2"]), training=True)
    config = tf.keras.layers.serialize(layer)
    again = tf.keras.layers.deserialize(config)
    assert isinstance(again, SyncBatchNormalization)
    assert again.get_config() == layer.get_config()
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0], SyncBatchNormalization)
    inputs = _inputs(SHAPES["rank 2"])
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert np.abs(loaded.layers[0].moving_mean.numpy()).max() > 0.0
