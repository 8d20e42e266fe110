"""Images out of range are refused before a step learns from them."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter, parse_views
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.model.checked_data import checked, explain_data

pytestmark = pytest.mark.slow

_UNIT = np.random.default_rng(0).uniform(size=[12, 8, 8, 3]).astype("float32")
_PIXELS = _UNIT * 255
# The last batch of four is out of range.
_LATE = np.concatenate([_UNIT[:8], _PIXELS[8:]])


class _Sequence(tf.keras.utils.Sequence):
    def __init__(self, images):
        self._images = images

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self._images[4 * index : 4 * index + 4]


def _dataset(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(4)


def _generator(images):
    return (images[first : first + 4] for first in range(0, 12, 4))


_CONTAINERS = {
    "array": lambda images: images,
    "tensor": tf.constant,
    "dataset": _dataset,
    "pairs": lambda images: tf.data.Dataset.zip((_dataset(images), _dataset([0] * 12))),
    "dict": lambda images: _dataset({"image": images, "label": [0] * 12}),
    "views": lambda images: _dataset({"views": np.stack([images, images], axis=1)}),
    "generator": _generator,
    "iterator": lambda images: iter(_dataset(images)),
    "sequence": _Sequence,
}


def _read(data):
    try:
        if isinstance(data, tf.keras.utils.Sequence):
            return [data[index] for index in range(len(data))]
        return list(data)
    except tf.errors.OpError as error:
        explain_data(error)
        raise


@pytest.mark.parametrize("container", _CONTAINERS)
def test_every_batch_is_checked_and_none_is_lost(container):
    hold = _CONTAINERS[container]
    wanted, found = _read(hold(_UNIT)), _read(checked(hold(_UNIT)))
    assert len(found) == len(wanted) >= 3
    for one, other in zip(wanted, found):
        tf.nest.map_structure(np.testing.assert_array_equal, other, one)
    for images in (_PIXELS, _LATE):
        with pytest.raises(UserError, match=r"to 25.* by 255, or cast to uint8"):
            _read(checked(hold(images)))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ((_UNIT - 0.5) / 0.25, "standardises"),
        (np.where(_UNIT > 0.99, np.nan, _UNIT), "NaN"),
        (_PIXELS.astype("uint16"), "nearly black"),
        (_PIXELS.astype("int64"), "int64.* cast to uint8"),
    ],
)
def test_a_dataset_says_what_is_wrong(images, message):
    with pytest.raises(UserError, match=message):
        _read(checked(_dataset(images)))


def test_a_dataset_of_uint8_is_left_as_it_is():
    dataset = _dataset(_PIXELS.astype("uint8"))
    assert checked(dataset) is dataset


def test_a_dataset_keeps_its_length_and_options():
    dataset = checked(_dataset(_UNIT))
    assert dataset.cardinality() == 3
    assert dataset.element_spec == _dataset(_UNIT).element_spec


def _model():
    tf.keras.utils.set_random_seed(0)
    encoder = [tf.keras.layers.Conv2D(4, 3), tf.keras.layers.GlobalAveragePooling2D()]
    model = SimCLR(
        tf.keras.Sequential(encoder), ProjectionHead(num_layers=1, out_dim=4)
    )
    model.build((None, 8, 8, 3))
    model.compile(tf.keras.optimizers.SGD(1.0))
    return model


def _views(images):
    return {"views": np.stack([images, images], axis=1)}


def test_nothing_is_learned_from_what_is_refused():
    model = _model()
    before = model.get_weights()
    views = _views(_PIXELS)
    batches = [{"views": views["views"][:4]}] * 3
    for data in (views, _dataset(views), iter(batches), _Sequence(_PIXELS)):
        with pytest.raises(UserError, match="by 255"):
            model.fit(data, verbose=0)
    with pytest.raises(UserError, match="by 255"):
        model.train_on_batch(views)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_late_batch_of_a_generator_is_refused():
    views = _views(_LATE)["views"]
    batches = ({"views": views[first : first + 4]} for first in (0, 4, 8))
    model = _model()
    model.run_eagerly = True
    with pytest.raises(UserError, match="by 255"):
        model.fit(batches, verbose=0)


def test_evaluate_and_predict_refuse_the_same():
    model = _model()
    with pytest.raises(UserError, match="by 255"):
        model.evaluate(_dataset(_views(_LATE)), verbose=0)
    for data in (_PIXELS, _dataset(_LATE), _PIXELS.astype("int32")):
        with pytest.raises(UserError, match="uint8"):
            model.predict(data, verbose=0)
    with pytest.raises(UserError, match="by 255"):
        model.fit(_views(_UNIT), validation_data=(_views(_PIXELS),), verbose=0)
    with pytest.raises(UserError, match="by 255"):
        model(_PIXELS)


def test_views_of_a_users_map_are_refused_before_anything_is_learned():
    """The map of the README, of what image_dataset_from_directory gives."""
    model, augmenter = _model(), SimCLRAugmenter(8, layers=parse_views("crop", 8))
    model.run_eagerly = True
    before = model.get_weights()
    data = _dataset(_PIXELS).map(lambda images: {"views": augmenter.two_views(images)})
    with pytest.raises(UserError, match="by 255, or cast to uint8"):
        model.fit(data, verbose=0)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_model_checks_in_a_graph_of_the_users():
    model = _model()
    with pytest.raises(tf.errors.InvalidArgumentError, match="by 255"):
        tf.function(model)(_PIXELS)


def test_the_models_own_steps_check_nothing():
    model = _model()
    views = {"views": tf.TensorSpec([4, 2, 8, 8, 3], tf.float32)}
    images = tf.TensorSpec([4, 8, 8, 3], tf.float32)
    for step, spec in [
        (model.train_step, views),
        (model.test_step, views),
        (model.predict_step, images),
    ]:
        graph = tf.function(step).get_concrete_function(spec).graph.as_graph_def()
        functions = [graph.node, *(each.node_def for each in graph.library.function)]
        assert "Assert" not in {node.op for nodes in functions for node in nodes}


_BAD_LABELS = [
    (np.full(12, 2**32 + 1), r"from 0 to 9, or -1 .*Got 4,294,967,297"),
    (np.linspace(0, 1, 12, dtype="float32"), "not all of them whole"),
    (np.arange(12) - 2, "Got -2 to"),
    (np.arange(12), r"num_classes is 10\. Got"),
]


@pytest.mark.parametrize(("labels", "message"), _BAD_LABELS)
@pytest.mark.parametrize(
    "container",
    [
        lambda images, labels: (images, labels),
        lambda images, labels: {"image": images, "label": labels},
        lambda images, labels: _dataset((images, labels)),
        lambda images, labels: _dataset({"image": images, "label": labels}),
        lambda images, labels: iter([(images, labels)]),
    ],
    ids=["arrays", "dict", "dataset", "dataset of dicts", "iterator"],
)
def test_labels_that_name_no_class_are_refused(container, labels, message):
    pixels = _PIXELS.astype("uint8")
    right = container(pixels, np.where(labels < 5, -1, 9))
    _read(checked(right, num_classes=10))
    with pytest.raises(UserError, match=message):
        _read(checked(container(pixels, labels), num_classes=10))
    # What is only encoded needs none.
    _read(checked(container(pixels, labels), labels=False))


def test_fit_and_evaluate_refuse_labels_given_beside_the_images():
    model = _model()
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(UserError, match="not all of them whole"):
            call(_UNIT, np.full(12, 0.5))
