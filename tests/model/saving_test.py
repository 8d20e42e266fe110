"""A model is saved and loaded whole, and callbacks save it."""

import h5py
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.optimizer import LARS
from tests.model.small_simclr import batch_of_views, small_model, some_images

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "suffix", [".keras", pytest.param("", marks=pytest.mark.exhaustive)]
)
def test_is_saved_and_loaded_whole(tmp_path, suffix):
    model = small_model(num_classes=4, temperature=0.4, seed=9)
    model.compile(LARS(0.5), run_eagerly=True)
    model.fit(batch_of_views(), verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_allclose(again(some_images()), model(some_images()), atol=1e-6)
    assert again.temperature == 0.4
    assert again.augmenter.get_config() == model.augmenter.get_config()
    if not suffix:
        return  # Keras leaves the optimizer's state out of a SavedModel.
    again.run_eagerly = True
    for each in (model, again):
        each.fit(batch_of_views(), verbose=0)
    for ours, theirs in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_callbacks_see_the_metrics(tmp_path):
    model = small_model()
    model.compile("sgd", run_eagerly=True)
    log = tmp_path / "log.csv"
    model.fit(
        batch_of_views(None),
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


def test_metrics_are_not_saved_as_weights(tmp_path):
    model = small_model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    model.fit(batch_of_views(), verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:
        names = []
        file.visit(names.append)
        arrays = [name for name in names if isinstance(file[name], h5py.Dataset)]
    assert len(arrays) == len(model.weights) + len(model.optimizer.variables)
    other = small_model(num_classes=4)
    other.load_weights(tmp_path / "model.weights.h5")
    for wanted, found in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(found, wanted)
    for metric, fresh in zip(model.metrics, other.metrics):
        assert [v.numpy() for v in fresh.variables] == [0.0, 0.0]
        assert metric.count.numpy() > 0
