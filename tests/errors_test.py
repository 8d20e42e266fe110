"""A mistake keeps its class and its message on the way through TensorFlow."""

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError


class _Mistaken(UserError):
    pass


class _Layer(tf.keras.layers.Layer):
    def call(self, inputs):
        raise _Mistaken("Give something else.")


def _traced():
    layer = _Layer()
    tf.function(lambda x: layer(x))(tf.zeros([1]))


def _mapped():
    tf.data.Dataset.range(2).map(_Layer())


def _fitted():
    model = tf.keras.Sequential([_Layer()])
    model.compile("sgd", "mse")
    model.fit(tf.zeros([2, 1]), tf.zeros([2, 1]), verbose=0)


@pytest.mark.parametrize("run", [_traced, _mapped, _fitted])
def test_a_mistake_arrives_as_it_was_raised(run):
    with pytest.raises(_Mistaken) as caught:
        run()
    assert str(caught.value) == "Give something else."
