"""Data in every form that fit takes, and what is said of other forms."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.errors import UserError
from tests.model.small_simclr import (
    LABELS,
    METRICS,
    PROBE_METRICS,
    batch_of_views,
    forms_of_data,
    small_model,
    some_images,
    two_views,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("form", ["images", "pair", "dict", "views"])
def test_fits_every_form_of_data(form):
    data = tf.data.Dataset.from_tensors(forms_of_data()[form]).repeat()
    model = small_model(num_classes=None if form == "images" else 4)
    # As a graph it is traced by the validation of arrays, below.
    model.compile("sgd", run_eagerly=form != "views")
    history = model.fit(data, steps_per_epoch=1, epochs=2, verbose=0).history
    wanted = METRICS if form == "images" else METRICS | PROBE_METRICS
    assert set(history) == wanted
    assert np.isfinite(list(history.values())).all()


def test_fits_arrays_and_validates():
    model = small_model(num_classes=4)
    model.compile("sgd")
    history = model.fit(
        some_images().numpy(),
        LABELS.numpy(),
        batch_size=8,
        validation_data=(some_images(), LABELS),
        verbose=0,
    ).history
    names = METRICS | PROBE_METRICS
    assert set(history) == names | {f"val_{name}" for name in names}


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_on_crops_is_that_on_their_views(micro_batches):
    """The other layers of the augmenter follow, by the draws of the crops' seeds."""
    seeds = randomness.example_seeds(3, 0, tf.range(16))
    sizes = tf.fill([16, 2], 20)
    crops = tf.cast(255.0 * two_views(), tf.uint8)
    models = [small_model(micro_batches=micro_batches) for _ in range(2)]
    views = models[0].augmenter.views_of_crops(crops, seeds, sizes)
    given = ({"crops": crops, "seeds": seeds, "size": sizes}, {"views": views})
    losses = []
    for model, data in zip(models, given):
        model.compile("sgd", run_eagerly=True)
        losses.append(model.train_on_batch(data, return_dict=True)["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    with pytest.raises(UserError, match='"crops" need beside them the "seeds"'):
        models[0].train_on_batch({"crops": crops})


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        ({"augmenter": None}, (LABELS,), "made without an augmenter"),
        ({"num_classes": 4}, (None,), "holds no labels"),
    ],
)
def test_data_that_does_not_fit_the_model_is_refused(settings, data, message):
    model = small_model(**settings)
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        model.fit(some_images(), *data, verbose=0)


def test_a_dict_without_images_is_refused():
    model = small_model()
    model.compile("sgd")
    data = tf.data.Dataset.from_tensors({"images": some_images()})
    with pytest.raises(ValueError, match=r'must hold "image" or "views".*images'):
        model.fit(data, verbose=0)


def test_a_pair_of_views_is_not_taken_for_images_and_labels():
    model = small_model()
    model.compile("sgd")
    views = forms_of_data()["views"]["views"]
    data = tf.data.Dataset.from_tensors((views[:, 0], views[:, 1]))
    for use in (model.fit, model.evaluate, model.predict):
        with pytest.raises(UserError, match=r'{"views": tf.stack\(\[a, b\], axis=1\)}'):
            use(data, verbose=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((some_images(4), tf.one_hot([0, 1, 2, 3], 4)), "one-hot.*argmax"),
        (some_images(4)[0], r"\[B, H, W, C\].*Batch the dataset"),
        ({"views": some_images(4)}, r"\[B, 2, H, W, C\].*tf.stack"),
        ((some_images(4), tf.zeros([4]), tf.ones([4])), "Sample weights"),
    ],
)
def test_data_of_another_shape_is_refused_with_the_remedy(data, message):
    model = small_model()
    model.compile("sgd")
    with pytest.raises(UserError, match=message):
        model.fit(tf.data.Dataset.from_tensors(data), verbose=0)


def test_labels_in_a_column_are_labels():
    model = small_model(num_classes=4)
    model.compile("sgd", run_eagerly=True)
    history = model.fit(batch_of_views(LABELS[:, None]), verbose=0).history
    assert 0.0 <= history["probe_accuracy"][0] <= 1.0
