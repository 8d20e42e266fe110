"""Batch norm of the global batch: Keras' own on one replica, the same on several."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization, sync_batch_normalization
from simclr_tf.errors import UserError

REPLICAS = 4
MASKED = [16, 5, 6]
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
        most_gathered = sync_batch_normalization._MOST_GATHERED
        if mode == "two sums":
            sync_batch_normalization._MOST_GATHERED = 0
        with strategy.scope():
            layer = SyncBatchNormalization(momentum=0.7, epsilon=1e-5, dtype=policy)
            layer.build(case["inputs"].shape)
            layer.gamma.assign(case["gamma"])
            layer.beta.assign(case["beta"])
            layer.trainable = mode != "frozen"

        @tf.function(autograph=False)
        def step(inputs, weights, mask=None, layer=layer, mode=mode):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=mode != "inference", mask=mask)
                loss = tf.reduce_sum(tf.cast(outputs, weights.dtype) * weights)
            gradients = tape.gradient(loss, [inputs, layer.gamma, layer.beta])
            context = tf.distribute.get_replica_context()
            summed = (context.all_reduce("sum", g) for g in gradients[1:])
            return outputs, gradients[0], *summed

        inputs = tf.cast(case["inputs"], layer.compute_dtype)
        arguments = [pieces(inputs), pieces(case["weights"])]
        if name == "masked":
            arguments.append(pieces(case["mask"]))
        results = strategy.run(step, arguments)
        sync_batch_normalization._MOST_GATHERED = most_gathered
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


_EXHAUSTIVE = pytest.mark.exhaustive
CASES = [
    ("rank 2", "float64", "training"),
    ("rank 4", "mixed_bfloat16", "training"),
    ("rank 4", "float32", "inference"),
    # As among more replicas than whose moments are gathered.
    ("offset", "float32", "two sums"),
    ("masked", "float64", "two sums"),
    pytest.param("rank 4", "float32", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 5", "float32", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 4", "float32", "frozen", marks=_EXHAUSTIVE),
    pytest.param("offset", "float32", "training", marks=_EXHAUSTIVE),
    pytest.param("masked", "float64", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 2", "float32", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 4", "float64", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 5", "float64", "training", marks=_EXHAUSTIVE),
    pytest.param("rank 2", "float64", "two sums", marks=_EXHAUSTIVE),
    pytest.param("rank 4", "float32", "two sums", marks=_EXHAUSTIVE),
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
        inputs = _inputs(MASKED if name == "masked" else SHAPES[name])
    generator = np.random.default_rng(1)
    channels = inputs.shape[-1]
    mask = {}
    if name == "masked":
        mask["mask"] = generator.uniform(size=inputs.shape[:2]) < 0.6
        mask["mask"][:4] = False  # One of four replicas has nothing.
    return {
        **mask,
        "inputs": inputs,
        "weights": generator.normal(size=inputs.shape),
        "gamma": generator.uniform(0.5, 2.0, channels),
        "beta": generator.normal(size=channels),
    }


@pytest.fixture(scope="module")
def on_replicas(replicas):
    """What the layer gives on several replicas in a case."""

    @functools.lru_cache
    def run(*case):
        return replicas(REPLICAS).run(_among, given={case: _case(case[0])})

    return run


def _whole_batch(name, mode, layer_dtype):
    """What Keras' layer gives for the whole batch at once, computed in float64.

    The moving variance is the exception: whether Keras takes the unbiased one
    depends on dtype and rank, so that part is computed in the layer's dtype.
    """
    case = {key: tf.constant(value) for key, value in _case(name).items()}
    layer = _built(tf.keras.layers.BatchNormalization, case, "float64", mode)
    with tf.GradientTape() as tape:
        tape.watch(case["inputs"])
        outputs = layer(
            case["inputs"], training=mode != "inference", mask=case.get("mask")
        )
        loss = tf.reduce_sum(outputs * case["weights"])
    gradients = tape.gradient(loss, [case["inputs"], layer.gamma, layer.beta])
    twin = _built(tf.keras.layers.BatchNormalization, case, layer_dtype, mode)
    inputs = tf.cast(case["inputs"], twin.compute_dtype)
    twin(inputs, training=mode != "inference", mask=case.get("mask"))
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
    given = on_replicas(name, policy, mode)
    for what, wanted in _whole_batch(name, mode, policy).items():
        got = given[name, what, policy, mode]
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
    given = on_replicas("rank 4", "float32", mode)
    np.testing.assert_array_equal(given["rank 4", "mean", "float32", mode], 0.0)
    np.testing.assert_array_equal(given["rank 4", "variance", "float32", mode], 1.0)


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 4")
@pytest.mark.parametrize("mode", ["training", "two sums"])
def test_replicas_keep_a_small_variance_beside_a_large_mean(on_replicas, mode):
    given = on_replicas("offset", "float32", mode)
    variance = given["offset", "variance", "float32", mode] - 0.7
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


def _of_masked_values(layer):
    """Keras' `test_batchnorm_ignore_masked_values`: the model, trained."""
    padded = np.array(
        [[[1, 5], [2, 5], [0, 0], [0, 0]]] * 4 + [[[2, 5], [1, 5], [0, 0], [0, 0]]],
        "float32",
    )
    inputs = tf.keras.Input([None, 2])
    model = tf.keras.Model(inputs, layer(tf.keras.layers.Masking()(inputs)))
    model.compile("rmsprop", "mse")
    model.fit(padded, padded, batch_size=10, epochs=2, verbose=0)


def test_ignores_masked_values_as_keras_does():
    layer = SyncBatchNormalization(momentum=0.0)
    _of_masked_values(layer)
    np.testing.assert_allclose(layer.moving_mean, [1.5, 5.0])
    np.testing.assert_allclose(layer.moving_variance, [0.25, 0.0], atol=1e-6)


def test_a_mask_counts_in_images_and_where_channels_come_first():
    inputs = _inputs([8, 4, 3, 6]).astype(np.float32)
    mask = np.random.default_rng(2).uniform(size=[8, 4]) < 0.5
    for axis in (-1, 1):
        layer = SyncBatchNormalization(axis=axis, momentum=0.0, fused=False)
        moved = np.moveaxis(inputs, -1, axis)
        got = layer(moved, training=True, mask=mask)
        kept = inputs[mask].reshape(-1, 6)
        np.testing.assert_allclose(layer.moving_mean, kept.mean(0), rtol=1e-5)
        np.testing.assert_allclose(layer.moving_variance, kept.var(0), rtol=1e-5)
        wanted = (inputs - kept.mean(0)) / np.sqrt(kept.var(0) + 1e-3)
        np.testing.assert_allclose(got, np.moveaxis(wanted, -1, axis), atol=1e-4)


def test_a_batch_that_is_masked_whole_moves_nothing():
    layer = SyncBatchNormalization(momentum=0.5)
    inputs = tf.ones([4, 3, 2])
    got = layer(inputs, training=True, mask=tf.zeros([4, 3], tf.bool))
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(layer.moving_mean, [0.0, 0.0])
    np.testing.assert_array_equal(layer.moving_variance, [1.0, 1.0])


@pytest.mark.parametrize(
    "settings",
    [{"renorm": True}, {"virtual_batch_size": 2}, {"adjustment": lambda shape: 1}],
)
def test_what_it_does_not_do_is_refused_by_name(settings):
    (name,) = settings
    with pytest.raises(UserError, match=f"does not take {name}"):
        SyncBatchNormalization(**settings)


def test_several_axes_are_refused():
    with pytest.raises(UserError, match="one axis"):
        SyncBatchNormalization(axis=[1, 2])
    assert SyncBatchNormalization(axis=[3], synchronized=True).axis in (3, [3])


def test_no_name_of_keras_is_taken(tmp_path, caplog):
    layer = SyncBatchNormalization()
    assert "batch_normalization" in layer.name  # By which LARS leaves it alone.
    model = tf.keras.Sequential([tf.keras.Input([6]), layer])
    model.save(tmp_path / "model", save_format="tf")
    assert "same name" not in caplog.text
