"""Random layers draw from the seed that they are given, and from nothing else."""

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.model.random_layers import drawing_from

pytestmark = pytest.mark.slow

_ONES = tf.ones([64, 4, 4, 3])
_LAYERS = {
    "dropout": lambda: tf.keras.layers.Dropout(0.5),
    "stochastic depth": lambda: tf.keras.layers.Dropout(
        0.5, noise_shape=(None, 1, 1, 1)
    ),
    "spatial": lambda: tf.keras.layers.SpatialDropout2D(0.5),
    "alpha": lambda: tf.keras.layers.AlphaDropout(0.5),
    "noise": lambda: tf.keras.layers.GaussianNoise(0.5),
    "factor": lambda: tf.keras.layers.GaussianDropout(0.5),
    "drop path": lambda: keras_cv.layers.DropPath(0.5),
    "drop block": lambda: keras_cv.layers.DropBlock2D(0.2, 2),
    "rotation": lambda: tf.keras.Sequential(
        [tf.keras.layers.ZeroPadding2D(1), tf.keras.layers.RandomRotation(0.5)]
    ),
}


def _drawn(layer, seed, images=_ONES):
    with drawing_from(lambda: tf.constant(seed), [layer]):
        return layer(images, training=True).numpy()


@pytest.mark.parametrize("name", _LAYERS)
def test_draws_depend_on_the_seed_alone(name):
    layer, again = _LAYERS[name](), _LAYERS[name]()
    first = _drawn(layer, [1, 2])
    np.testing.assert_array_equal(_drawn(layer, [1, 2]), first)
    np.testing.assert_array_equal(_drawn(again, [1, 2]), first)
    assert np.abs(_drawn(layer, [1, 3]) - first).max() > 0.1


def test_stochastic_depth_draws_from_the_seed_in_a_graph():
    """keras-cv's own layer draws anew each time; DropPath never does in a graph."""
    layer = keras_cv.layers.StochasticDepth(0.5)
    path = keras_cv.layers.DropPath(0.5)

    @tf.function
    def draw(seed):
        with drawing_from(lambda: seed, [layer, path]):
            residual = layer([_ONES, _ONES], training=True) - _ONES
            return residual[0, 0, 0, 0], path(_ONES, training=True)[:, 0, 0, 0]

    seeds = [tf.constant([1, seed]) for seed in range(64)]
    kept, paths = map(np.stack, zip(*[draw(seed) for seed in seeds]))
    again, same_paths = map(np.stack, zip(*[draw(seed) for seed in seeds]))
    np.testing.assert_array_equal(kept, again)
    np.testing.assert_array_equal(paths, same_paths)
    assert set(kept) == {0.0, 1.0}
    assert 0.25 < np.mean(kept) < 0.75
    assert 0.4 < np.mean(paths == 0.0) < 0.6
    assert len(np.unique(paths, axis=0)) == 64
    inference = layer([_ONES, _ONES], training=False)
    np.testing.assert_array_equal(inference, 1.5 * _ONES)


def test_layers_and_calls_draw_independently():
    layers = [tf.keras.layers.Dropout(0.5) for _ in range(2)]
    with drawing_from(lambda: tf.constant([1, 2]), layers):
        drawn = [layer(_ONES, training=True) for layer in [*layers, layers[0]]]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert 0.45 < np.mean(drawn[one] == drawn[other]) < 0.55


def test_elsewhere_layers_draw_as_keras_has_them():
    layer = tf.keras.layers.Dropout(0.5)
    _drawn(layer, [1, 2])
    first, second = (layer(_ONES, training=True) for _ in range(2))
    assert np.any(first != second)
    assert 0.45 < np.mean(first == 0) < 0.55


@tf.keras.utils.register_keras_serializable("tests")
class _Residual(tf.keras.layers.Layer):
    """What a residual block does with its branch; here both are the input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.depth = keras_cv.layers.StochasticDepth(0.5)

    def call(self, inputs):
        return self.depth([inputs, inputs]) / 1.5


def test_saving_is_unharmed(tmp_path):
    model = tf.keras.Sequential(
        [
            tf.keras.Input([4, 4, 3]),
            tf.keras.layers.Dropout(0.5),
            keras_cv.layers.DropPath(0.5),
            _Residual(),
        ]
    )
    _drawn(model, [1, 2])
    for path in (tmp_path / "model.keras", tmp_path / "folder"):
        model.save(path)
        again = tf.keras.models.load_model(path)
        np.testing.assert_array_equal(again(_ONES), _ONES)
    assert model.weights == []


def _model(micro_batches=1, head=None):
    tf.keras.utils.set_random_seed(0)
    encoder = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            tf.keras.layers.Dropout(0.3),
            tf.keras.layers.Conv2D(8, 3),
            tf.keras.layers.Dropout(0.3, noise_shape=(None, 1, 1, 1)),
            keras_cv.layers.DropPath(0.3),
        ]
    )
    model = SimCLR(
        encoder,
        head or ProjectionHead(num_layers=1, out_dim=4),
        micro_batches=micro_batches,
        seed=3,
    )
    model.build((None, 12, 12, 3))
    model.compile(tf.keras.optimizers.SGD(0.5, momentum=0.9))
    return model


def _batches(count):
    views = np.random.default_rng(0).uniform(size=[count, 8, 2, 12, 12, 3])
    return tf.data.Dataset.from_tensor_slices({"views": views.astype("float32")})


@pytest.mark.parametrize(
    "micro_batches", [2, pytest.param(1, marks=pytest.mark.exhaustive)]
)
def test_a_resumed_training_is_that_which_never_stopped(tmp_path, micro_batches):
    """Another model of another process would be restored likewise."""
    whole = _model(micro_batches)
    whole.fit(_batches(4).take(2), verbose=0)
    saved = tf.train.Checkpoint(model=whole, optimizer=whole.optimizer)
    path = saved.save(str(tmp_path / "state"))
    whole.fit(_batches(4).skip(2), verbose=0)

    resumed = _model(micro_batches)
    resumed.optimizer.build(resumed.trainable_variables)
    saved = tf.train.Checkpoint(model=resumed, optimizer=resumed.optimizer)
    saved.restore(path).assert_existing_objects_matched()
    resumed.fit(_batches(4).skip(2), verbose=0)
    for wanted, found in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(found, wanted)


def test_the_head_draws_from_seed_and_step_too():
    """A model that begins anew learns the same, whatever was drawn before."""
    head = tf.keras.Sequential([tf.keras.layers.Dropout(0.5), tf.keras.layers.Dense(4)])
    model, weights = _model(head=head), []
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [variable.numpy() for variable in variables]
    for _ in range(2):
        for variable, value in zip(variables, before):
            variable.assign(value)
        model.fit(_batches(2), verbose=0)
        weights.append(model.get_weights())
        tf.random.normal([3])  # Moves TensorFlow's own state.
    for one, other in zip(*weights):
        np.testing.assert_array_equal(one, other)
    assert np.abs(weights[0][0] - before[0]).max() > 0
