"""What every source says of itself, and how TensorFlow's complaints are told."""

import pytest
import tensorflow as tf

from simclr_tf.data import Source
from simclr_tf.data.source import reason


def _source(**about):
    about = {"image_shape": (20, 30, 3), "num_examples": 1234, **about}
    return Source(spec="folder:photos", split="train", **about)


def test_it_tells_its_size_and_classes():
    assert repr(_source()) == "folder:photos (train): 1,234 images, 20x30"
    named = _source(num_classes=2, class_names=("cat", "dog"))
    assert repr(named) == "folder:photos (train): 1,234 images, 20x30, 2 classes"
    assert named.class_names == ["cat", "dog"]
    assert len(named) == 1234


def test_files_are_not_said_to_have_the_size_of_their_canvas():
    files = _source(num_classes=2)
    files.holds_files = True
    assert repr(files) == "folder:photos (train): 1,234 images, 2 classes"


def test_a_source_must_say_how_it_is_read():
    with pytest.raises(NotImplementedError, match="no random access"):
        _source().read(tf.data.Dataset.range(3).batch(3))


def _eager():
    tf.io.decode_png(b"nonsense")


def _in_a_graph():
    tf.function(tf.io.decode_png)(tf.constant(b"nonsense"))


def _in_a_dataset():
    list(tf.data.Dataset.from_tensors(b"nonsense").map(tf.io.decode_png))


@pytest.mark.parametrize("fail", [_eager, _in_a_graph, _in_a_dataset])
def test_the_reason_of_an_error_names_no_node(fail):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        fail()
    told = reason(caught.value)
    assert "{" not in told
    assert "[" not in told
    assert len(told) > 20


def test_the_reason_of_an_ordinary_error_is_its_text():
    assert reason(ValueError("no such thing")) == "no such thing"
