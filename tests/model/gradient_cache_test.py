"""A batch trained in pieces is trained as the whole."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.model.batch import unpack
from tests import tiny

pytestmark = pytest.mark.slow

_EXHAUSTIVE = pytest.mark.exhaustive


@pytest.fixture(autouse=True)
def _double():
    tf.keras.backend.set_floatx("float64")
    yield
    tf.keras.backend.set_floatx("float32")


def _plain_encoder():
    """Whose images know nothing of one another; its weights have a penalty."""
    return tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, 2, activation="relu", kernel_regularizer="l2"),
            tf.keras.layers.Conv2D(16, 3, 2, activation="relu"),
        ]
    )


def _augmenter():
    """Crops and flips: colours and blur take their time to trace."""
    return simclr_tf.augmentation.SimCLRAugmenter(16, color_strength=0.0, blur=False)


def _model(encoder, micro_batches, optimizer="sgd", **settings):
    tf.keras.utils.set_random_seed(0)
    model = simclr_tf.SimCLR(
        encoder(),
        simclr_tf.ProjectionHead(num_layers=2, out_dim=16),
        augmenter=_augmenter(),
        num_classes=3,
        micro_batches=micro_batches,
        **settings,
    )
    model.build((None, 16, 16, 3))
    optimizers = {
        "sgd": lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9),
        "lars": lambda: simclr_tf.LARS(0.5, weight_decay=1e-4),
    }
    model.compile(optimizers[optimizer]())
    return model


@pytest.fixture(scope="module")
def arrays(images_npz):
    with np.load(images_npz) as found:
        images = found["x_train"][:48, ::2, ::2]
        return images, found["y_train"][:48].astype(np.int32) % 3


def _images(arrays, model):
    batches = tf.data.Dataset.from_tensor_slices(arrays)
    return batches.batch(16, drop_remainder=True)


def _views(arrays, model):
    images, labels = arrays
    seeds = tf.stack([tf.range(len(images))] * 2, axis=1)
    views = model.augmenter.two_views(images, seeds)
    return _images(({"views": views}, labels), model)


def _assert_same(ours, theirs, tolerance=1e-10):
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize(
    ("given", "optimizer", "jit_compile"),
    [
        pytest.param(_images, "sgd", False, marks=_EXHAUSTIVE),
        (_views, "sgd", True),
        pytest.param(_views, "sgd", False, marks=_EXHAUSTIVE),
        pytest.param(_views, "lars", False, marks=_EXHAUSTIVE),
    ],
)
def test_the_gradient_is_that_of_the_whole_batch(arrays, given, optimizer, jit_compile):
    whole, pieces = (_model(_plain_encoder, k, optimizer) for k in (1, 4))
    whole.run_eagerly = True
    pieces.jit_compile = jit_compile
    batches, histories = given(arrays, whole), []
    for model in (whole, pieces):
        histories.append(model.fit(batches, epochs=2, verbose=0).history)
    _assert_same(pieces, whole)
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-10)


class _InPieces(tf.keras.Model):
    """An encoder that takes its batch in four pieces itself, and keeps it all."""

    def __init__(self):
        super().__init__()
        self.inner = tiny.encoder()

    def call(self, images, training=None):
        if not training:
            return self.inner(images, training=False)
        first, second = (tf.split(half, 4) for half in tf.split(images, 2))
        made = [
            tf.split(self.inner(tf.concat(both, axis=0), training=True), 2)
            for both in zip(first, second)
        ]
        return tf.concat([half[view] for view in range(2) for half in made], axis=0)


@pytest.mark.exhaustive
def test_with_batch_norm_statistics_are_those_of_a_piece(arrays):
    whole, pieces = _model(_InPieces, 1), _model(tiny.encoder, 4)
    for model in (whole, pieces):
        model.fit(_views(arrays, model), epochs=2, verbose=0)
    for ours, theirs in zip(pieces.trainable_variables, whole.trainable_variables):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_moving_averages_move_once_a_step(arrays):
    whole, pieces = _model(tiny.encoder, 1), _model(tiny.encoder, 4)
    whole.run_eagerly = True
    for model in (whole, pieces):
        model.fit(_views(arrays, model).take(1), verbose=0)
    # Of the first layer, which sees what no batch norm has touched.
    ours, theirs = (m.encoder.layers[1].moving_mean for m in (pieces, whole))
    assert np.abs(theirs).max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "policy",
    [pytest.param("mixed_bfloat16", marks=_EXHAUSTIVE), "mixed_float16"],
)
def test_in_lower_precision_it_strays_no_farther_than_the_whole_batch(arrays, policy):
    """What a kernel rounds depends on the processor: float32 tells which strays."""
    tf.keras.backend.set_floatx("float32")

    def moved(micro_batches, policy):
        tf.keras.mixed_precision.set_global_policy(policy)
        model = _model(_plain_encoder, micro_batches)
        if policy == "mixed_float16":
            # The scale that Keras begins with overflows, and the step is left out.
            optimizer = tf.keras.optimizers.SGD(0.1)
            scaled = tf.keras.mixed_precision.LossScaleOptimizer
            model.compile(scaled(optimizer, dynamic=False, initial_scale=8))
        before = [v.numpy() for v in model.encoder.trainable_variables]
        model.fit(_views(arrays, model).take(1), verbose=0)
        now = model.encoder.trainable_variables
        return np.concatenate([np.ravel(a - b) for a, b in zip(now, before)])

    exact = moved(1, "float32")
    length = np.linalg.norm(exact)
    whole, pieces = (np.linalg.norm(moved(k, policy) - exact) / length for k in (1, 4))
    assert 0 < whole < 0.3
    assert pieces < 1.25 * whole


def _trained(strategy, views, micro_batches, normalise, eagerly=False):
    tf.keras.backend.set_floatx("float64")
    with strategy.scope():
        tf.keras.utils.set_random_seed(0)
        layers = [tf.keras.layers.Conv2D(8, 3, 2, kernel_initializer="ones")]
        if normalise:
            layers.append(simclr_tf.SyncBatchNormalization())
        model = simclr_tf.SimCLR(
            tf.keras.Sequential([*layers, tf.keras.layers.ReLU()]),
            simclr_tf.ProjectionHead(num_layers=1, out_dim=8),
            num_classes=3,
            micro_batches=micro_batches,
        )
        model.build((None, 16, 16, 3))
        generator = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
        model.compile(tf.keras.optimizers.SGD(0.01), run_eagerly=eagerly)
    # -1 is unlabelled: each replica knows another share of its labels.
    labels = (views.mean(axis=(1, 2, 3, 4)) * 1e4).astype(np.int32) % 4 - 1
    data = {"views": views, "label": labels}
    batches = tf.data.Dataset.from_tensor_slices(data).batch(16, drop_remainder=True)
    history = model.fit(batches, verbose=0).history
    assert history["probe_loss"][0] > 0
    return [*model.get_weights(), *history.values()]


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 2")
@pytest.mark.parametrize("normalise", [True, pytest.param(False, marks=_EXHAUSTIVE)])
def test_replicas_take_their_shares_in_pieces(replicas, normalise):
    """Piece k of the batch is piece k of every replica: here they come together."""
    views = np.random.default_rng(0).uniform(size=[32, 2, 16, 16, 3])
    by_replica = views.reshape([2, 2, 4, 2, *views.shape[1:]])
    together = by_replica.swapaxes(1, 2).reshape(views.shape)
    given, pieces = (together, 4) if normalise else (views, 1)
    here = tf.distribute.get_strategy()
    theirs = _trained(here, given, pieces, normalise, eagerly=True)
    ours = replicas(2).run(_trained, views=views, micro_batches=4, normalise=normalise)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * (1 + np.abs(b).max()))


def _dropping():
    return tf.keras.Sequential([_plain_encoder(), tf.keras.layers.Dropout(0.1)])


@pytest.mark.exhaustive
def test_dropout_draws_the_same_both_times(arrays):
    """The gradient is that of one graph in which each micro-batch is dropped once."""
    model = _model(_dropping, 4)
    images, labels = arrays
    batch = unpack((tf.constant(images[:16]), tf.constant(labels[:16])))
    variables = model.encoder.trainable_variables
    before = [variable.numpy() for variable in variables]

    def loss():
        batch_with_views = model._batch(
            (batch.images, batch.labels), model.optimizer.iterations
        )
        features = []
        for place in range(4):
            with model._drawing(model.optimizer.iterations, place):
                rows = batch_with_views.rows(place * 4, 4)
                made = model._represent(rows, training=True)
                features.append(tf.reshape(made, [2, 4, -1]))
        features = tf.reshape(tf.concat(features, axis=1), [32, -1])
        values = model._compare_features(features, batch, training=True)
        return values["loss"] + tf.add_n(model.encoder.losses)

    with tf.GradientTape() as tape:
        wanted = loss()
    wanted = tape.gradient(wanted, variables)
    model.compile(tf.keras.optimizers.SGD(1.0))
    model.train_on_batch(images[:16], labels[:16])
    for old, new, gradient in zip(before, variables, wanted):
        np.testing.assert_allclose(old - new.numpy(), gradient, rtol=0, atol=1e-10)


def _shaking():
    """By a layer that Keras does not know to be random."""

    def shaken(x):
        return x + tf.random.uniform(tf.shape(x), dtype=x.dtype)

    layer = tf.keras.layers.Lambda(shaken, name="shaking")
    return tf.keras.Sequential([_plain_encoder(), layer])


def _drawing_in_a_branch():
    def shaken(x):
        noise = tf.function(lambda: tf.random.normal(tf.shape(x), dtype=x.dtype))
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x + noise(), lambda: x)

    return tf.keras.Sequential([_plain_encoder(), tf.keras.layers.Lambda(shaken)])


def test_what_is_frozen_keeps_its_bits(arrays):
    def half_frozen():
        encoder = _plain_encoder()
        encoder.layers[0].trainable = False
        return encoder

    model = _model(half_frozen, 5)
    frozen, learning = (layer.kernel for layer in model.encoder.layers)
    before = frozen.numpy(), learning.numpy()
    batches = _views(arrays, model).unbatch().batch(15, drop_remainder=True)
    model.fit(batches, verbose=0)
    np.testing.assert_array_equal(frozen.numpy(), before[0])
    assert np.abs(learning.numpy() - before[1]).max() > 1e-4


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "policy",
    [pytest.param("float64", marks=_EXHAUSTIVE), "mixed_bfloat16"],
)
def test_images_of_unknown_sides_build_a_model_with_losses_of_its_own(arrays, policy):
    """As decoded files have them, and as user code leaves `build` to `fit`."""
    if policy != "float64":
        tf.keras.backend.set_floatx("float32")
    tf.keras.mixed_precision.set_global_policy(policy)
    encoder = _plain_encoder()
    encoder.add(tf.keras.layers.ActivityRegularization(l2=0.01))
    model = simclr_tf.SimCLR(
        encoder,
        simclr_tf.ProjectionHead(num_layers=2, out_dim=16),
        augmenter=_augmenter(),
        num_classes=3,
        micro_batches=4,
    )
    model.compile(tf.keras.optimizers.SGD(0.1))
    batches = tf.data.Dataset.from_tensor_slices(arrays)
    batches = batches.batch(16, drop_remainder=True)
    images, labels = batches.element_spec
    unknown = tf.TensorSpec([16, None, None, 3], images.dtype)
    batches = tf.data.Dataset.from_generator(
        lambda known=batches: iter(known), output_signature=(unknown, labels)
    )
    history = model.fit(batches, verbose=0).history
    parts = history["contrastive_loss"][0] + history["probe_loss"][0]
    assert parts < history["loss"][0] < np.inf


@pytest.mark.parametrize(
    ("encoder", "count", "drop", "message"),
    [
        (_shaking, 4, True, "operation .*shaking.* would draw anew"),
        (_drawing_in_a_branch, 4, True, "RandomStandardNormal.* would draw anew"),
        (_plain_encoder, 4, False, "drop_remainder=True"),
        (_plain_encoder, 3, True, "16 images cannot be cut into 3"),
        (_plain_encoder, 0, True, "micro_batches must be at least 1"),
    ],
)
def test_what_cannot_be_is_said(arrays, encoder, count, drop, message):
    batches = tf.data.Dataset.from_tensor_slices(arrays)
    batches = batches.batch(16, drop_remainder=drop)
    with pytest.raises(ValueError, match=message):
        _model(encoder, count).fit(batches, verbose=0)
