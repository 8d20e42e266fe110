"""The online probe: what moves it, what it is measured on, whom it leaves alone."""

import numpy as np
import pytest
import tensorflow as tf

from tests.model.small_simclr import (
    LABELS,
    PROBE_METRICS,
    SIZE,
    batch_of_views,
    small_model,
    some_images,
    two_views,
)

pytestmark = pytest.mark.slow


def test_the_probe_sends_no_gradient_to_the_encoder():
    model = small_model(num_classes=4, loss_scale=0.0)
    model.compile(tf.keras.optimizers.SGD(1.0), run_eagerly=True)
    model.fit(batch_of_views(), verbose=0)
    before = [variable.numpy() for variable in model.encoder.trainable_variables]
    probe = model.probe.kernel.numpy()
    model.fit(batch_of_views(), verbose=0)
    for variable, value in zip(model.encoder.trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
    assert not np.array_equal(model.probe.kernel, probe)


def test_the_probe_does_not_change_the_training_of_the_encoder():
    weights = []
    for num_classes in (None, 4):
        model = small_model(num_classes=num_classes)
        model.compile(tf.keras.optimizers.SGD(0.1), run_eagerly=True)
        model.fit(batch_of_views(), epochs=3, verbose=0)
        weights.append(model.encoder.get_weights())
    for without, with_probe in zip(*weights):
        np.testing.assert_allclose(without, with_probe, rtol=1e-6, atol=1e-7)


def test_unlabelled_images_do_not_move_the_probe():
    model = small_model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(1.0), run_eagerly=True)
    model.fit(batch_of_views(), verbose=0)
    before = model.probe.kernel.numpy()
    history = model.fit(batch_of_views(-tf.ones_like(LABELS)), verbose=0).history
    np.testing.assert_array_equal(model.probe.kernel, before)
    assert np.isnan(history["probe_loss"]).all()
    assert np.isnan(history["probe_accuracy"]).all()
    assert np.isfinite(history["loss"]).all()
    of_step = model.learn({"views": two_views()[:2], "label": tf.fill([2], -1)})
    assert {n for n, v in of_step.items() if np.isnan(v)} == model.metrics_of_labels
    assert model.metrics_of_labels == PROBE_METRICS


def test_the_probe_is_measured_on_the_labelled_images_alone():
    """Half of one batch of four is labelled."""
    model = small_model(num_classes=4)
    model.compile(tf.keras.optimizers.SGD(0.0), run_eagerly=True)
    model.probe.bias.assign([0.0, 0.0, 9.0, 0.0])
    model.probe.kernel.assign(tf.zeros_like(model.probe.kernel))
    labels = np.full(16, -1)
    labels[[5, 6]] = 2
    for measured in (
        model.evaluate(
            some_images(), labels, batch_size=4, verbose=0, return_dict=True
        ),
        {
            name: values[0]
            for name, values in model.fit(
                some_images(), labels, batch_size=4, shuffle=False, verbose=0
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
        model = small_model(num_classes=4, loss_scale=0.0)
        model.compile(tf.keras.optimizers.SGD(1.0), run_eagerly=True)
        labels = np.where(np.arange(16) < 16 * share, 2, -1)
        views = {"views": tf.fill([16, 2, SIZE, SIZE, 3], 0.5), "label": labels}
        model.fit(tf.data.Dataset.from_tensors(views), verbose=0)
        moved.append(model.probe.bias.numpy())
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-5)
    assert np.abs(moved[0]).max() > 0.1
