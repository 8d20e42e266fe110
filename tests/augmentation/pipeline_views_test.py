"""Views in a user's own pipeline: which form makes them, and that they are the same."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import (
    RandomSolarize,
    SimCLRAugmenter,
    StatelessAugmentation,
    parse_views,
    pipeline_views,
)
from simclr_tf.errors import UserError

pytestmark = pytest.mark.slow

_IMAGES = np.random.default_rng(0).integers(0, 256, [7, 18, 20, 3], np.uint8)
_SEEDS = np.random.default_rng(1).integers(-(2**31), 2**31, [7, 2]).astype(np.int32)
_SIZES = np.tile([[40, 20]], [7, 1]).astype(np.int32)
_AUGMENTER = SimCLRAugmenter(16, layers=parse_views("crop|flip|gray(0.5)", 16))


def _data(*, drop_remainder=True):
    data = tf.data.Dataset.from_tensor_slices((_IMAGES, _SEEDS))
    return data.batch(7, drop_remainder=drop_remainder)


def _compiled():
    """Calls of compiled functions in the graph that is being traced."""
    graph = tf.compat.v1.get_default_graph().as_graph_def()
    return sum(node.attr["_XlaMustCompile"].b for node in graph.node)


def _mapped(data, views):
    """The data with views, and the compiled calls that the map's function has."""
    calls = []

    def in_map(images, seeds):
        made = views(images, seeds)
        calls.append(_compiled())
        return made

    return data.map(in_map), calls


@pytest.mark.parametrize(
    ("processors", "sizes"),
    [
        pytest.param(1, None, marks=pytest.mark.exhaustive),
        (2, _SIZES),
        pytest.param(3, _SIZES, marks=pytest.mark.exhaustive),
    ],
)
def test_a_map_over_batches_has_the_fast_form_and_the_same_views(
    monkeypatch, processors, sizes
):
    """Of seven images two processors take four each, one of them a filler."""
    monkeypatch.setattr(pipeline_views, "_processors", lambda: processors)
    known = sizes is None
    made, calls = _mapped(
        _data(drop_remainder=known),
        lambda *batch: _AUGMENTER.two_views(*batch, sizes=sizes),
    )
    assert calls == [processors]
    assert made.element_spec.shape.as_list() == [7 if known else None, 2, 16, 16, 3]
    expected = _AUGMENTER.two_views(_IMAGES, _SEEDS, sizes=sizes)
    np.testing.assert_allclose(next(iter(made)), expected, atol=5e-6)


def test_without_seeds_views_are_new_in_each_batch():
    augmenter = SimCLRAugmenter(16, layers=parse_views("crop", 16))
    images = _data().repeat().map(lambda images, _: augmenter.two_views(images))
    first, second = images.take(2).as_numpy_iterator()
    assert not np.array_equal(first, second)


@tf.keras.utils.register_keras_serializable("tests")
class _Grayer(RandomSolarize):
    """A layer of another package, which says nothing of single images."""

    def augment_images(self, images, transformations, **_):
        return 0.5 * images


@tf.keras.utils.register_keras_serializable("tests")
class _Darker(_Grayer):
    """The same with a form for single images."""

    def augment_one(self, image, transformations):
        return 0.5 * image


@pytest.mark.parametrize(
    ("layer", "fast"), [(RandomSolarize, True), (_Grayer, False), (_Darker, True)]
)
def test_a_layer_of_another_package_may_be_without_the_fast_form(layer, fast):
    augmenter = SimCLRAugmenter(16, layers=[*parse_views("crop|flip", 16), layer()])
    _, calls = _mapped(_data(), augmenter.two_views)
    assert bool(calls[0]) == fast


def test_a_child_that_augments_otherwise_does_not_inherit_the_form_for_one():
    parent = type("Parent", (_Darker,), {})
    child = type("Child", (_Darker,), {"augment_images": _Grayer.augment_images})
    assert parent.augment_one is _Darker.augment_one
    assert child.augment_one is StatelessAugmentation.augment_one


def test_elsewhere_the_batched_form_serves():
    augmenter = SimCLRAugmenter(16, layers=parse_views("crop", 16))
    found = []

    def views(images, seeds):
        made = augmenter.two_views(images, seeds)
        found.append(_compiled())
        return made

    tf.function(views).get_concrete_function(_IMAGES, _SEEDS)
    # Graphs that may run elsewhere than in the pipeline that traced them.
    _data().map(tf.function(views))
    _data().map(tf.function(views, jit_compile=True))
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    strategy.run(lambda: _data().map(views))
    assert found == [0] * 4


def test_images_of_no_one_size_have_the_batched_form():
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: [_IMAGES], output_signature=spec)
    data = data.map(lambda images: (images, _SEEDS))
    made, calls = _mapped(data, _AUGMENTER.two_views)
    assert calls == [0]
    expected = _AUGMENTER.two_views(_IMAGES, _SEEDS)
    np.testing.assert_allclose(next(iter(made)), expected, atol=5e-6)


def test_values_out_of_range_are_refused_when_they_are_read():
    """As image_dataset_from_directory gives them."""
    augmenter = SimCLRAugmenter(16, layers=parse_views("crop", 16))
    floats = tf.data.Dataset.from_tensors(_IMAGES.astype("float32"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"in 0\.\.255 by 255"):
        next(iter(floats.map(augmenter.two_views)))


def test_wrong_images_are_refused_as_outside_a_pipeline():
    with pytest.raises(UserError, match="cast to uint8"):
        _data().map(lambda images, _: _AUGMENTER.two_views(tf.cast(images, tf.int32)))
    alone = tf.data.Dataset.from_tensor_slices(_IMAGES)
    with pytest.raises(UserError, match=r"batch \[B, H, W, C\], got shape \(18, 20, 3"):
        alone.map(lambda image: _AUGMENTER.two_views(image))
    ragged = alone.ragged_batch(7).map(tf.RaggedTensor.from_tensor)
    with pytest.raises(UserError, match=r"dense batch .*RaggedTensor"):
        ragged.map(lambda images: _AUGMENTER.two_views(images))
