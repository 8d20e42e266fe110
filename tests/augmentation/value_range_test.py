"""Images of a wrong dtype or range are refused with the remedy."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation.value_range import (
    require_image_dtype,
    require_image_values,
)
from simclr_tf.errors import UserError

_UNIT = np.random.default_rng(0).uniform(size=[4, 6, 6, 3])


@pytest.mark.parametrize("container", [np.asarray, tf.constant])
@pytest.mark.parametrize(
    "images",
    [
        (_UNIT * 255).astype("uint8"),
        (_UNIT * 65535).astype("uint16"),
        np.zeros([2, 3, 3, 3], "uint16"),
        _UNIT.astype("float32"),
        _UNIT.astype("float16"),
        _UNIT,
        _UNIT * 1.6 - 0.3,
        np.zeros([0, 3, 3, 3], "float32"),
    ],
    ids=lambda images: f"{images.dtype}-{images.max(initial=0):.1f}",
)
def test_images_in_range_are_taken(images, container):
    require_image_values(container(images))


@pytest.mark.parametrize("container", [np.asarray, tf.constant])
@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (_UNIT.astype("float32") * 255, "from .* to 25.* by 255, or cast to uint8"),
        ((_UNIT * 255).astype("float16"), "by 255, or cast to uint8"),
        ((_UNIT - 0.5) / 0.25, "standardises"),
        (_UNIT * 2 - 1, r"\(images \+ 1\) / 2"),
        (np.where(_UNIT > 0.9, np.nan, _UNIT), "NaN"),
        (np.where(_UNIT > 0.9, np.inf, _UNIT), "to inf"),
        ((_UNIT * 255).astype("int32"), "int32.* cast to uint8"),
        ((_UNIT * 255).astype("int64"), "int64.* cast to uint8"),
        ((_UNIT * 100).astype("int8"), "int8.* cast to uint8"),
        (_UNIT > 0.5, "bool"),
        ((_UNIT * 255).astype("uint16"), "only 25.* nearly black.* to uint8"),
        ((_UNIT * 4095).astype("uint16"), "only 40.* nearly black.* 4095"),
    ],
)
def test_others_are_refused_with_the_remedy(images, remedy, container):
    with pytest.raises(UserError, match=remedy):
        require_image_values(container(images))


def test_a_ragged_batch_is_checked():
    rows = tf.ragged.constant([[0.1, 0.2], [255.0]])
    with pytest.raises(UserError, match="by 255"):
        require_image_values(rows)


def test_in_a_graph_the_dtype_alone_is_checked():
    @tf.function
    def check(images):
        require_image_values(images)
        return images

    check(tf.constant(_UNIT * 255))
    assert [
        node.op
        for node in check.get_concrete_function(tf.TensorSpec([None], tf.float32))
        .graph.as_graph_def()
        .node
        if node.op in ("Min", "Max", "Assert")
    ] == []
    with pytest.raises(UserError, match="int64"):
        check(tf.constant([[1]], tf.int64))


def test_a_symbolic_image_has_its_dtype_checked():
    require_image_dtype(tf.keras.Input([4, 4, 3]))
    with pytest.raises(UserError, match="int32"):
        require_image_dtype(tf.keras.Input([4, 4, 3], dtype="int32"))
