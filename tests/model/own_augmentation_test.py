"""SimCLR with an augmentation of the user's own."""

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.methods import method_class
from simclr_tf.model import Learner, SimCLR
from tests import sample_images

pytestmark = pytest.mark.slow

_layers = tf.keras.layers
_PIXELS = sample_images.images(16, 12)[0]
_LABELS = np.arange(16) % 3


@tf.keras.utils.register_keras_serializable("tests")
def _dimmed(images):
    factor = tf.random.uniform([tf.shape(images)[0], 1, 1, 1], 0.3, 1.0)
    return tf.cast(images, tf.float32) * factor


def _sequential():
    return tf.keras.Sequential(
        [_layers.RandomFlip(), _layers.RandomRotation(0.2), _layers.Resizing(8, 8)]
    )


def _parts():
    encoder = tf.keras.Sequential(
        [_layers.Conv2D(4, 3, 2), _layers.ReLU(), _layers.GlobalAveragePooling2D()]
    )
    return encoder, ProjectionHead(num_layers=1, out_dim=4, use_batch_norm=False)


def _model(augmenter, **settings):
    tf.keras.utils.set_random_seed(0)
    model = SimCLR(*_parts(), augmenter=augmenter, num_classes=3, **settings)
    model.build((None, 12, 12, 3))
    model.compile(tf.keras.optimizers.SGD(0.1))
    return model


def _batches(images=_PIXELS, labels=_LABELS):
    data = {"image": images, "label": labels}
    return tf.data.Dataset.from_tensor_slices(data).batch(8, drop_remainder=True)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("sequential", "uint8"),
        ("function", "float32"),
        ("keras-cv", "uint8"),
        *(
            pytest.param(kind, dtype, marks=pytest.mark.exhaustive)
            for kind, dtype in (
                *(("sequential", "float32"), ("function", "uint8")),
                ("keras-cv", "float32"),
            )
        ),
    ],
)
def test_it_learns_with_labels(kind, dtype, capsys):
    images = _PIXELS if dtype == "uint8" else (_PIXELS / 255.0).astype("float32")
    white = 255 if dtype == "uint8" else 1
    augmenter = {
        "sequential": _sequential,
        "function": lambda: _dimmed,
        "keras-cv": lambda: keras_cv.layers.RandomBrightness((-0.5, 0.5), (0, white)),
    }[kind]()
    model = _model(augmenter)
    before = model.encoder.get_weights()[0]
    data = _batches(images) if kind == "sequential" else (images, _LABELS)
    given = data if isinstance(data, tuple) else (data,)
    history = model.fit(*given, batch_size=None if len(given) == 1 else 8, verbose=0)
    values = [history.history[name][0] for name in ("loss", "probe_loss")]
    assert np.isfinite(values).all()
    assert np.abs(model.encoder.get_weights()[0] - before).max() > 0
    said = capsys.readouterr().err
    assert said.count("called twice") == 1
    assert ("resumes to the bit" in said) == (kind == "sequential")


def _trained(**settings):
    model = _model(_sequential(), **settings)
    model.fit(_batches(), epochs=2, verbose=0)
    return model


def test_kerass_random_layers_make_a_run_that_repeats():
    """Begun anew by a model whose layers have drawn before."""
    model, weights = _model(_sequential()), []
    before = model.get_weights()
    for _ in range(2):
        model.set_weights(before)
        model.optimizer.iterations.assign(0)
        model.fit(_batches(), epochs=2, verbose=0)
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights):
        np.testing.assert_array_equal(ours, theirs)
    other = _trained(seed=1)
    assert np.abs(weights[0][0] - other.get_weights()[0]).max() > 0


@pytest.mark.exhaustive
def test_micro_batches_learn_from_the_same_views_as_the_whole_batch():
    whole, pieces = _trained(), _trained(micro_batches=4)
    for ours, theirs in zip(whole.get_weights(), pieces.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize(
    "suffix", [".keras", pytest.param("", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("augment", [_sequential, lambda: _dimmed])
def test_it_is_saved_with_the_model(tmp_path, suffix, augment):
    model = _model(augment())
    model.run_eagerly = True
    model.fit(_batches(), verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    assert again.augmenter.title == model.augmenter.title
    if suffix:  # A SavedModel writes the same in another form.
        assert again.augmenter.get_config() == model.augmenter.get_config()
    np.testing.assert_allclose(again(_PIXELS), model(_PIXELS), atol=1e-6)
    again.run_eagerly = True
    again.fit(_batches(), verbose=0)


def test_nothing_is_learned_where_views_are_identical():
    model = _model(_layers.Rescaling(1 / 255))
    before = model.get_weights()
    with pytest.raises(UserError, match="identical views"):
        model.fit(_batches(), verbose=0)
    for ours, theirs in zip(before, model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_methods_that_draw_one_view_take_it_too():
    method = method_class("rotation")()
    encoder, _ = _parts()
    head = method.make_head(layers=1, hidden_dim=None, out_dim=4)
    model = Learner(encoder, head, method, augmenter=_sequential())
    model.compile("sgd")
    assert np.isfinite(model.fit(_batches(), verbose=0).history["loss"][0])


def _of_replicas(strategy):
    with strategy.scope():
        models = [_model(augment) for augment in (_sequential(), _dimmed)]
    values = [each.fit(_batches(), epochs=2, verbose=0).history for each in models]
    with strategy.scope():
        cv = _model(keras_cv.layers.RandomBrightness((-0.5, 0.5)))
    values.append(cv.fit(_batches(), verbose=0).history)
    return values, models[0].get_weights()


@pytest.mark.exhaustive
@pytest.mark.xdist_group("replicas 2")
def test_two_replicas_learn_with_it(replicas):
    values, weights = replicas(2).run(_of_replicas)
    for each in values:
        assert np.isfinite(each["loss"]).all()
    for ours, theirs in zip(weights, replicas(2).run(_of_replicas)[1]):
        np.testing.assert_array_equal(ours, theirs)
