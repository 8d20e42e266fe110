"""SimCLR behaves as any Keras model, and trains as the paper says."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import load, sample
from simclr_tf.loss import nt_xent
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS, make_optimizer

_SIZE = 16


def _encoder(pooled=True):
    layers = [
        tf.keras.Input([None, None, 3]),
        tf.keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
        tf.keras.layers.BatchNormalization(),
        tf.keras.layers.ReLU(),
        tf.keras.layers.Conv2D(12, 3),
    ]
    if pooled:
        layers.append(tf.keras.layers.GlobalAveragePooling2D())
    return tf.keras.Sequential(layers)


def _head():
    return tf.keras.Sequential([tf.keras.Input([12]), tf.keras.layers.Dense(6)])


def _model(pooled=True, **settings):
    tf.keras.utils.set_random_seed(0)
    # Colours and blur take their time to trace.
    augmenter = SimCLRAugmenter(_SIZE, color_strength=0.0, blur=False)
    settings.setdefault("augmenter", augmenter)
    return SimCLR(_encoder(pooled), _head(), **settings)


def _images(count=16):
    return sample(load("shapes", image_size=20), count)["image"]


_LABELS = tf.range(16) % 4
_METRICS = {"loss", "contrastive_loss", "contrastive_accuracy", "contrastive_entropy"}
_PROBE_METRICS = {"probe_loss", "probe_accuracy"}


def _forms():
    views = SimCLRAugmenter(_SIZE).two_views(_images())
    return {
        "images": _images(),
        "pair": (_images(), _LABELS),
        "dict": {"image": _images(), "label": _LABELS},
        "views": {"views": views, "label": _LABELS},
    }


@pytest.mark.parametrize("form", ["images", "pair", "dict", "views"])
def test_fits_every_form_of_data(form):
    data = tf.data.Dataset.from_tensors(_forms()[form]).repeat()
    model = _model(num_classes=None if form == "images" else 4)
    model.compile("sgd")
    history = model.fit(data, steps_per_epoch=2, epochs=2, verbose=0).history
    wanted = _METRICS if form == "images" else _METRICS | _PROBE_METRICS
    assert set(history) == wanted
    assert np.isfinite(list(history.values())).all()


def test_fits_arrays_and_validates():
    model = _model(num_classes=4)
    model.compile("sgd")
    history = model.fit(
        _images().numpy(),
        _LABELS.numpy(),
        batch_size=8,
        validation_data=(_images(), _LABELS),
        verbose=0,
    ).history
    names = _METRICS | _PROBE_METRICS
    assert set(history) == names | {f"val_{name}" for name in names}


@pytest.mark.parametrize("pooled", [True, False])
def test_gives_representations(pooled):
    model = _model(pooled)
    images = _images()
    features = model(images)
    assert features.shape == [16, 12]
    np.testing.assert_allclose(
        features, model(tf.image.convert_image_dtype(images, tf.float32)), atol=1e-6
    )
    model.compile("sgd")
    np.testing.assert_allclose(model.predict(images, verbose=0), features, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["lars", "sgd", "adamw"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_learns_compiled_or_not(optimizer, jit_compile):
    model = _model(temperature=0.5)
    rate = {"lars": 1.0, "sgd": 0.1, "adamw": 0.003}[optimizer]
    model.compile(make_optimizer(optimizer, rate), jit_compile=jit_compile)
    views = tf.data.Dataset.from_tensors(_forms()["views"]).repeat()
    losses = [
        model.fit(views, steps_per_epoch=10, verbose=0).history["loss"][0]
        for _ in range(3)
    ]
    assert losses[2] < losses[1] < losses[0]


def test_steps_per_execution_gives_the_same_training():
    weights = []
    for steps in (1, 4):
        model = _model()
        model.compile(LARS(1.0), steps_per_execution=steps)
        data = tf.data.Dataset.from_tensors(_images()).repeat()
        model.fit(data, steps_per_epoch=8, verbose=0)
        weights.append(model.get_weights())
    for one, four in zip(*weights):
        np.testing.assert_allclose(one, four, rtol=1e-5, atol=1e-6)


def test_the_loss_is_nt_xent_of_the_projections():
    model = _model(temperature=0.3, loss_scale=2.0)
    model.compile("sgd")
    views = _forms()["views"]["views"]
    logs = model.test_on_batch({"views": views}, return_dict=True)
    projections = [
        model.projection_head(model(views[:, view]), training=False)
        for view in range(2)
    ]
    expected = float(nt_xent(*projections, temperature=0.3))
    assert logs["contrastive_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["loss"] == pytest.approx(2 * expected, rel=1e-5)


def test_the_probe_sends_no_gradient_to_the_encoder():
    model = _model(num_classes=4, loss_scale=0.0)
    model.compile(tf.keras.optimizers.SGD(1.0))
    model.fit(_images(), _LABELS, verbose=0)
    before = [variable.numpy() for variable in model.encoder.trainable_variables]
    probe = model.probe.kernel.numpy()
    model.fit(_images(), _LABELS, verbose=0)
    for variable, value in zip(model.encoder.trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
    assert not np.array_equal(model.probe.kernel, probe)


def test_the_probe_does_not_change_the_training_of_the_encoder():
    weights = []
    for num_classes in (None, 4):
        model = _model(num_classes=num_classes)
        model.compile(tf.keras.optimizers.SGD(0.1))
        model.fit(_images(), _LABELS, epochs=3, shuffle=False, verbose=0)
        weights.append(model.encoder.get_weights())
    for without, with_probe in zip(*weights):
        np.testing.assert_allclose(without, with_probe, rtol=1e-6, atol=1e-7)


def test_unlabelled_images_do_not_move_the_probe():
    model = _model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(1.0))
    model.fit(_images(), _LABELS, verbose=0)
    before = model.probe.kernel.numpy()
    history = model.fit(_images(), -tf.ones_like(_LABELS), verbose=0).history
    np.testing.assert_array_equal(model.probe.kernel, before)
    assert history["probe_loss"] == [0.0]


def test_the_views_of_a_step_depend_on_seed_and_step_alone():
    losses = []
    for seed in (1, 1, 2):
        model = _model(seed=seed)
        model.compile(tf.keras.optimizers.SGD(0.0))
        data = tf.data.Dataset.from_tensors(_images()).repeat()
        losses.append(
            [
                model.fit(data, steps_per_epoch=1, verbose=0).history["loss"][0]
                for _ in range(2)
            ]
        )
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert losses[0][0] != losses[0][1]


def test_evaluation_is_repeatable_and_changes_nothing():
    model = _model()
    model.compile("sgd")
    model.fit(_images(), verbose=0)
    weights = model.get_weights()
    first, second = (
        model.evaluate(_images(), verbose=0, return_dict=True) for _ in range(2)
    )
    assert first == second
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_trains_under_mixed_precision(policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = _model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(0.05))
    history = model.fit(_images(), _LABELS, epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model(_images()).dtype == tf.float32
    assert model.encoder.layers[0].compute_dtype == policy[len("mixed_") :]
    for variable in model.trainable_variables:
        assert variable.dtype == tf.float32


def test_the_whole_model_trains_in_float64():
    tf.keras.backend.set_floatx("float64")
    model = _model(num_classes=4)
    model.compile(LARS(0.5))
    model.fit(_images(), _LABELS, epochs=2, verbose=0)
    assert model(_images()).dtype == tf.float64
    for variable in model.trainable_variables:
        assert variable.dtype == tf.float64


def test_regularisation_of_the_encoder_joins_the_loss():
    encoder = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(12, 3, kernel_regularizer="l2"),
            tf.keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model = SimCLR(encoder, _head(), augmenter=SimCLRAugmenter(_SIZE))
    model.compile("sgd")
    logs = model.evaluate(_images(), verbose=0, return_dict=True)
    decay = float(tf.add_n(encoder.losses))
    assert logs["loss"] == pytest.approx(logs["contrastive_loss"] + decay, rel=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ""])
def test_is_saved_and_loaded_whole(tmp_path, suffix):
    model = _model(num_classes=4, temperature=0.4, seed=9)
    model.compile(LARS(0.5))
    model.fit(_images(), _LABELS, verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_allclose(again(_images()), model(_images()), atol=1e-6)
    assert again.temperature == 0.4
    assert again.augmenter.get_config() == model.augmenter.get_config()
    if not suffix:
        return  # Keras leaves the optimizer's state out of a SavedModel.
    for each in (model, again):
        each.fit(_images(), _LABELS, shuffle=False, verbose=0)
    for ours, theirs in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_callbacks_see_the_metrics(tmp_path):
    model = _model()
    model.compile("sgd")
    log = tmp_path / "log.csv"
    model.fit(
        _images(),
        epochs=2,
        verbose=0,
        callbacks=[
            tf.keras.callbacks.CSVLogger(str(log)),
            tf.keras.callbacks.ModelCheckpoint(
                str(tmp_path / "best.weights.h5"),
                monitor="contrastive_accuracy",
                mode="max",
                save_best_only=True,
                save_weights_only=True,
            ),
        ],
    )
    assert "contrastive_entropy" in log.read_text().splitlines()[0]
    assert (tmp_path / "best.weights.h5").exists()


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        ({"augmenter": None}, (_LABELS,), "made without an augmenter"),
        ({"num_classes": 4}, (None,), "holds no labels"),
    ],
)
def test_data_that_does_not_fit_the_model_is_refused(settings, data, message):
    model = _model(**settings)
    model.compile("sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(_images(), *data, verbose=0)


def test_a_dict_without_images_is_refused():
    model = _model()
    model.compile("sgd")
    data = tf.data.Dataset.from_tensors({"images": _images()})
    with pytest.raises(ValueError, match=r'must hold "image" or "views".*images'):
        model.fit(data, verbose=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"temperature": -1}, "temperature"), ({"num_classes": 1}, "num_classes")],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        _model(**settings)


def test_a_batch_of_one_image_is_refused():
    model = _model()
    model.compile(LARS(0.1))
    alone = tf.data.Dataset.from_tensors(_images(1))
    with pytest.raises(ValueError, match="one image has no negatives"):
        model.fit(alone, verbose=0)
