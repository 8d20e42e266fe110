"""SimCLR behaves as any Keras model, and trains as the paper says."""

import functools

import h5py
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.encoder import make_encoder
from simclr_tf.errors import UserError
from simclr_tf.loss import nt_xent
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS, make_optimizer
from tests import sample_images

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


_IMAGES = tf.constant(sample_images.images(16, 20)[0])


def _images(count=16):
    return _IMAGES[:count]


_LABELS = tf.range(16) % 4


@functools.lru_cache
def _two_views():
    seeds = randomness.example_seeds(3, 0, tf.range(16))
    return SimCLRAugmenter(_SIZE).two_views(_images(), seeds)


def _views(labels=_LABELS):
    """A data set of one batch: views made beforehand, since a step that makes them
    takes three times as long to trace."""
    data = {"views": _two_views()}
    if labels is not None:
        data["label"] = labels
    return tf.data.Dataset.from_tensors(data)


_METRICS = {"loss", "contrastive_loss", "contrastive_accuracy", "contrastive_entropy"}
_PROBE_METRICS = {"probe_loss", "probe_accuracy"}


def _forms():
    views = _two_views()
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
    # As a graph it is traced by the validation of arrays, below.
    model.compile("sgd", run_eagerly=form != "views")
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


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_on_crops_is_that_on_their_views(micro_batches):
    """The other layers of the augmenter follow, by the draws of the crops' seeds."""
    seeds = randomness.example_seeds(3, 0, tf.range(16))
    sizes = tf.fill([16, 2], 20)
    crops = tf.cast(255.0 * _two_views(), tf.uint8)
    models = [_model(micro_batches=micro_batches) for _ in range(2)]
    views = models[0].augmenter.views_of_crops(crops, seeds, sizes)
    given = ({"crops": crops, "seeds": seeds, "size": sizes}, {"views": views})
    losses = []
    for model, data in zip(models, given):
        model.build((None, _SIZE, _SIZE, 3))
        model.compile("sgd", run_eagerly=True)
        losses.append(model.train_on_batch(data, return_dict=True)["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    with pytest.raises(UserError, match='"crops" need beside them the "seeds"'):
        models[0].train_on_batch({"crops": crops})


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


@pytest.mark.parametrize(
    ("optimizer", "jit_compile"),
    [
        ("lars", True),
        ("sgd", False),
        ("adamw", False),
        pytest.param("lars", False, marks=pytest.mark.exhaustive),
        pytest.param("sgd", True, marks=pytest.mark.exhaustive),
        pytest.param("adamw", True, marks=pytest.mark.exhaustive),
    ],
)
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
        model.fit(_views(None).repeat(), steps_per_epoch=8, verbose=0)
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
    model.fit(_views(), verbose=0)
    before = [variable.numpy() for variable in model.encoder.trainable_variables]
    probe = model.probe.kernel.numpy()
    model.fit(_views(), verbose=0)
    for variable, value in zip(model.encoder.trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
    assert not np.array_equal(model.probe.kernel, probe)


def test_the_probe_does_not_change_the_training_of_the_encoder():
    weights = []
    for num_classes in (None, 4):
        model = _model(num_classes=num_classes)
        model.compile(tf.keras.optimizers.SGD(0.1))
        model.fit(_views(), epochs=3, verbose=0)
        weights.append(model.encoder.get_weights())
    for without, with_probe in zip(*weights):
        np.testing.assert_allclose(without, with_probe, rtol=1e-6, atol=1e-7)


def test_unlabelled_images_do_not_move_the_probe():
    model = _model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(1.0))
    model.fit(_views(), verbose=0)
    before = model.probe.kernel.numpy()
    history = model.fit(_views(-tf.ones_like(_LABELS)), verbose=0).history
    np.testing.assert_array_equal(model.probe.kernel, before)
    assert np.isnan(history["probe_loss"]).all()
    assert np.isnan(history["probe_accuracy"]).all()
    assert np.isfinite(history["loss"]).all()
    of_step = model.learn({"views": _two_views()[:2], "label": tf.fill([2], -1)})
    assert {n for n, v in of_step.items() if np.isnan(v)} == model.metrics_of_labels
    assert model.metrics_of_labels == _PROBE_METRICS


def test_the_probe_is_measured_on_the_labelled_images_alone():
    """Half of one batch of four is labelled."""
    model = _model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(0.0), run_eagerly=True)
    model.build((None, _SIZE, _SIZE, 3))
    model.probe.bias.assign([0.0, 0.0, 9.0, 0.0])
    model.probe.kernel.assign(tf.zeros_like(model.probe.kernel))
    labels = np.full(16, -1)
    labels[[5, 6]] = 2
    for measured in (
        model.evaluate(_images(), labels, batch_size=4, verbose=0, return_dict=True),
        {
            name: values[0]
            for name, values in model.fit(
                _images(), labels, batch_size=4, shuffle=False, verbose=0
            ).history.items()
        },
    ):
        assert measured["probe_accuracy"] == 1.0
        expected = np.log1p(3 * np.exp(-9.0))
        assert measured["probe_loss"] == pytest.approx(expected, rel=1e-3)


def test_the_probe_learns_as_fast_from_few_labels():
    """The gradient is that of the mean over known labels."""
    moved = []
    for share in (1.0, 0.25):
        model = _model(num_classes=4, loss_scale=0.0)
        model.compile(tf.keras.optimizers.SGD(1.0), run_eagerly=True)
        labels = np.where(np.arange(16) < 16 * share, 2, -1)
        views = {"views": tf.fill([16, 2, _SIZE, _SIZE, 3], 0.5), "label": labels}
        model.fit(tf.data.Dataset.from_tensors(views), verbose=0)
        moved.append(model.probe.bias.numpy())
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-5)
    assert np.abs(moved[0]).max() > 0.1


def test_the_views_of_an_evaluated_image_do_not_depend_on_the_batch_size():
    model = _model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    measured = [
        model.evaluate(_images(), _LABELS, batch_size=size, verbose=0, return_dict=True)
        for size in (4, 7, 16)
    ]
    for each in measured[1:]:
        assert each["probe_loss"] == pytest.approx(measured[0]["probe_loss"], rel=1e-5)
    same = tf.repeat(_images(1), 8, axis=0)
    first, second = (
        model.evaluate(same, _LABELS[:8], batch_size=size, verbose=0, return_dict=True)
        for size in (4, 8)
    )
    assert first["probe_loss"] == pytest.approx(second["probe_loss"], rel=1e-5)
    # The second batch has other views than the first.
    one = model.evaluate(
        same[:4], _LABELS[:4], batch_size=4, verbose=0, return_dict=True
    )
    assert one["contrastive_loss"] != pytest.approx(first["contrastive_loss"], rel=1e-4)


def test_the_views_of_a_step_depend_on_seed_and_step_alone():
    losses = []
    for seed in (1, 1, 2):
        model = _model(seed=seed)
        model.compile(tf.keras.optimizers.SGD(0.0), run_eagerly=True)
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
    model.build((None, _SIZE, _SIZE, 3))
    model.compile("sgd")
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
    history = model.fit(_views(), epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model(_images()).dtype == tf.float32
    assert model.encoder.layers[0].compute_dtype == policy[len("mixed_") :]
    for variable in model.trainable_variables:
        assert variable.dtype == tf.float32


def test_the_whole_model_trains_in_float64():
    tf.keras.backend.set_floatx("float64")
    model = _model(num_classes=4)
    model.compile(LARS(0.5), run_eagerly=True)
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
    model = SimCLR(encoder, _head())
    model.compile("sgd")
    logs = model.evaluate(_views(None), verbose=0, return_dict=True)
    decay = float(tf.add_n(encoder.losses))
    assert logs["loss"] == pytest.approx(logs["contrastive_loss"] + decay, rel=1e-6)


@pytest.mark.parametrize(
    "suffix", [".keras", pytest.param("", marks=pytest.mark.exhaustive)]
)
def test_is_saved_and_loaded_whole(tmp_path, suffix):
    model = _model(num_classes=4, temperature=0.4, seed=9)
    model.compile(LARS(0.5))
    model.fit(_views(), verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_allclose(again(_images()), model(_images()), atol=1e-6)
    assert again.temperature == 0.4
    assert again.augmenter.get_config() == model.augmenter.get_config()
    if not suffix:
        return  # Keras leaves the optimizer's state out of a SavedModel.
    for each in (model, again):
        each.fit(_views(), verbose=0)
    for ours, theirs in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_callbacks_see_the_metrics(tmp_path):
    model = _model()
    model.compile("sgd")
    log = tmp_path / "log.csv"
    model.fit(
        _views(None),
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


def test_a_batch_of_one_image_is_left_out_of_an_evaluation():
    model = _model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    settings = {"verbose": 0, "return_dict": True}
    with pytest.warns(UserWarning, match="one image, which has no negatives"):
        odd = model.evaluate(_images(9), _LABELS[:9], batch_size=8, **settings)
    even = model.evaluate(_images(8), _LABELS[:8], batch_size=8, **settings)
    for name in ("loss", "contrastive_loss", "contrastive_accuracy"):
        assert odd[name] == pytest.approx(even[name], rel=1e-5)
    with pytest.raises(UserError, match="Every batch holds one image"):
        model.evaluate(_images(3), _LABELS[:3], batch_size=1, **settings)


def test_a_pair_of_views_is_not_taken_for_images_and_labels():
    model = _model()
    model.compile("sgd")
    views = _forms()["views"]["views"]
    data = tf.data.Dataset.from_tensors((views[:, 0], views[:, 1]))
    for use in (model.fit, model.evaluate, model.predict):
        with pytest.raises(UserError, match=r'{"views": tf.stack\(\[a, b\], axis=1\)}'):
            use(data, verbose=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((_images(4), tf.one_hot([0, 1, 2, 3], 4)), "one-hot.*argmax"),
        (_images(4)[0], r"\[B, H, W, C\].*Batch the dataset"),
        ({"views": _images(4)}, r"\[B, 2, H, W, C\].*tf.stack"),
        ((_images(4), tf.zeros([4]), tf.ones([4])), "Sample weights"),
    ],
)
def test_data_of_another_shape_is_refused_with_the_remedy(data, message):
    model = _model()
    model.compile("sgd")
    with pytest.raises(UserError, match=message):
        model.fit(tf.data.Dataset.from_tensors(data), verbose=0)


def test_labels_in_a_column_are_labels():
    model = _model(num_classes=4)
    model.compile("sgd")
    history = model.fit(_views(_LABELS[:, None]), verbose=0).history
    assert 0.0 <= history["probe_accuracy"][0] <= 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "computes its loss itself.*temperature"),
        ({"loss_weights": [1.0]}, "computes its loss itself"),
        ({"metrics": ["accuracy"]}, "computes its metrics itself.*probe_accuracy"),
        ({"weighted_metrics": ["accuracy"]}, "computes its metrics itself"),
    ],
)
def test_losses_and_metrics_of_the_users_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        _model(num_classes=4).compile("sgd", **settings)


def test_metrics_are_not_saved_as_weights(tmp_path):
    model = _model(num_classes=4)
    model.compile("sgd")
    model.fit(_views(), verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:
        names = []
        file.visit(names.append)
        arrays = [name for name in names if isinstance(file[name], h5py.Dataset)]
    assert len(arrays) == len(model.weights) + len(model.optimizer.variables)
    other = _model(num_classes=4)
    other.build((None, _SIZE, _SIZE, 3))
    other.load_weights(tmp_path / "model.weights.h5")
    for wanted, found in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(found, wanted)
    for metric, fresh in zip(model.metrics, other.metrics):
        assert [v.numpy() for v in fresh.variables] == [0.0, 0.0]
        assert metric.count.numpy() > 0


def test_an_encoder_that_expects_pixels_is_refused():
    encoder = _encoder()
    pixels = tf.keras.Sequential([tf.keras.layers.Rescaling(1 / 255), encoder])
    with pytest.raises(UserError, match=r"simclr_tf.make_encoder\(model\)"):
        SimCLR(pixels, _head())
    SimCLR(make_encoder(pixels, image_range=(0, 255)), _head())
