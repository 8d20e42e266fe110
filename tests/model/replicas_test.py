"""The model on two replicas: labels, shares, saving, data out of range, draws."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.methods import method_class
from simclr_tf.model import Learner, SimCLR

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replicas 2")]

_VIEWS = np.random.default_rng(0).uniform(size=[16, 2, 8, 8, 3])
# The second replica knows no label of the first batch, and one of the second.
_LABELS = np.array([0, 1, 2, -1] + [-1] * 4 + [-1, -1, 2, 1] + [-1, 0, -1, -1])


def _model(strategy, eagerly=False):
    with strategy.scope():
        tf.keras.utils.set_random_seed(0)
        layers = [tf.keras.layers.Conv2D(4, 3, 2), tf.keras.layers.ReLU()]
        model = SimCLR(
            tf.keras.Sequential(layers),
            ProjectionHead(num_layers=1, out_dim=4, use_batch_norm=False),
            num_classes=3,
        )
        model.build((None, 8, 8, 3))
        generator = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
        optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.9)
        model.compile(optimizer, run_eagerly=eagerly)
    return model


def _batches(scale=1.0):
    data = {"views": _VIEWS * scale, "label": _LABELS}
    return tf.data.Dataset.from_tensor_slices(data).batch(8, drop_remainder=True)


def _trained(strategy, eagerly=False):
    tf.keras.backend.set_floatx("float64")
    model = _model(strategy, eagerly)
    history = model.fit(_batches(), validation_data=_batches(), verbose=0).history
    return [*model.get_weights(), history]


def test_labels_known_in_unequal_shares_train_as_on_one_device(replicas):
    *weights, history = _trained(tf.distribute.get_strategy(), eagerly=True)
    *found_weights, found = replicas(2).run(_trained)
    for wanted, each in zip(weights, found_weights):
        np.testing.assert_allclose(each, wanted, rtol=0, atol=1e-12)
    for name, values in history.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)
    # Six labels are known, and each has two views.
    share = history["val_probe_accuracy"][0] * 12
    assert share == pytest.approx(round(share), abs=1e-9)


def _pretext(name, **settings):
    """A learner whose encoder has no batch norm, which would notice unequal shares."""
    method = method_class(name)()
    layers = [tf.keras.layers.Conv2D(4, 3, 2), tf.keras.layers.ReLU()]
    model = Learner(
        tf.keras.Sequential(layers),
        method.make_head(layers=1, hidden_dim=4, out_dim=4),
        method,
        **settings,
    )
    model.build((None, 8, 8, 3))
    model.compile(tf.keras.optimizers.SGD(0.01))
    return model


def _unequal(strategy, name):
    with strategy.scope():
        model = _pretext(name)
    generator = np.random.default_rng(0)
    data = {
        "views": generator.uniform(size=[13, model.method.num_views, 8, 8, 3]),
        "seeds": generator.integers(0, 2**31, [13, 2]).astype(np.int32),
    }
    data = tf.data.Dataset.from_tensor_slices(data)
    model.fit(data.take(12).batch(8), verbose=0)  # Of four and of two each.
    whole = model.evaluate(data.batch(8), verbose=0)  # The last: of three and of two.
    try:
        model.fit(data.batch(8), verbose=0)
    except UserError as error:
        return str(error), whole
    return "taken", whole


@pytest.mark.parametrize(
    "name", ["rotation", pytest.param("jigsaw", marks=pytest.mark.exhaustive)]
)
def test_a_pretext_task_refuses_unequal_shares_that_no_batch_norm_notices(
    replicas, name
):
    message, whole = replicas(2).run(_unequal, name=name)
    assert "equally many images of each batch" in message
    assert "multiple of their number, 2" in message
    assert np.isfinite(whole).all()


def _saved_and_loaded(strategy, folder):
    model = _model(strategy)
    model.fit(_batches(), verbose=0)
    model.save(f"{folder}/model.keras")
    model.save_weights(f"{folder}/model.weights.h5")
    with strategy.scope():
        whole = tf.keras.models.load_model(f"{folder}/model.keras")
        other = _model(strategy)
        other.load_weights(f"{folder}/model.weights.h5")
    counted = [v.numpy() for metric in whole.metrics for v in metric.variables]
    weights = [each.get_weights() for each in (model, whole, other)]
    return weights, int(whole.optimizer.iterations.numpy()), counted


def test_is_saved_and_loaded_under_the_strategy(replicas, tmp_path):
    weights, steps, counted = replicas(2).run(_saved_and_loaded, folder=str(tmp_path))
    for wanted, whole, other in zip(*weights):
        np.testing.assert_array_equal(whole, wanted)
        np.testing.assert_array_equal(other, wanted)
    assert steps == 2
    assert counted
    assert not np.any(counted)


def _refused(strategy, distribute):
    model = _model(strategy)
    before = model.get_weights()
    data = _batches(scale=255.0)
    if distribute:
        data = strategy.experimental_distribute_dataset(data)
    try:
        model.fit(data, verbose=0)
    except UserError as error:
        return str(error), before, model.get_weights()
    return "taken", [], []


@pytest.mark.parametrize(
    "distribute", [pytest.param(False, marks=pytest.mark.exhaustive), True]
)
def test_images_out_of_range_are_refused(replicas, distribute):
    message, before, after = replicas(2).run(_refused, distribute=distribute)
    assert "Divide pixels in 0..255 by 255" in message
    for old, new in zip(before, after):
        np.testing.assert_array_equal(old, new)


def _dropped(strategy):
    model = _model(strategy)
    with strategy.scope():
        model.encoder.add(tf.keras.layers.Dropout(0.5))

    @tf.function
    def draw():
        def on_replica():
            with model._drawing(tf.constant(7, tf.int64)):
                ones = tf.ones([2, 5, 5, 40])
                return model.encoder.layers[-1](ones, training=True)

        return strategy.run(on_replica)

    draws = strategy.experimental_local_results(draw())
    again = strategy.experimental_local_results(draw())
    return [draw.numpy() for draw in [*draws, *again]]


def test_replicas_draw_independently_and_repeatably(replicas):
    first, second, *again = replicas(2).run(_dropped)
    assert 0.45 < np.mean(first == second) < 0.55
    np.testing.assert_array_equal(again, [first, second])


# The layers of views without those that take time to trace.
_IMAGES = np.random.default_rng(2).integers(0, 256, [13, 12, 12, 3], np.uint8)


def _evaluated(strategy, name, count, eagerly=False):
    """What `evaluate` gives of images, whose views it makes, in batches of 8."""
    tf.keras.backend.set_floatx("float64")
    augmenter = SimCLRAugmenter(8, color_strength=0.0, blur=False)
    with strategy.scope():
        tf.keras.utils.set_random_seed(0)
        model = _pretext(name, augmenter=augmenter, num_classes=3)
    model.run_eagerly = eagerly
    data = _IMAGES[:count], np.arange(count) % 3
    data = tf.data.Dataset.from_tensor_slices(data).batch(8)
    return model.evaluate(data, verbose=0, return_dict=True)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("rotation", 13),  # Of the last batch one replica has 3 and the other 2.
        pytest.param("simclr", 12, marks=pytest.mark.exhaustive),
    ],
)
def test_images_are_evaluated_as_on_one_device(replicas, name, count):
    here = tf.distribute.get_strategy()
    wanted = _evaluated(here, name=name, count=count, eagerly=True)
    found = replicas(2).run(_evaluated, name=name, count=count)
    assert wanted == pytest.approx(found, rel=1e-9)
