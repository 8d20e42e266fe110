"""Frozen parts of an encoder stay as they are, to the bit, and the others learn."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import make_encoder
from simclr_tf.encoder.freezing import freeze_up_to
from simclr_tf.errors import UserError
from simclr_tf.head import ClassifierHead
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from tests import tiny

_STEPS = 20


def _learner(name, side):
    tf.keras.utils.set_random_seed(0)
    encoder = make_encoder(name, image_size=side)
    model = Learner(encoder, ClassifierHead(3), SupervisedMethod())
    model.build((None, side, side, 3))
    return model


def _train(model, side):
    generator = np.random.default_rng(0)
    views = generator.uniform(size=[4, 1, side, side, 3]).astype(np.float32)
    model.compile(tf.keras.optimizers.SGD(0.1, momentum=0.9))
    data = tf.data.Dataset.from_tensors({"views": views, "label": [0, 1, 2, 0]})
    model.fit(data.repeat(_STEPS), verbose=0)


def _parts(encoder):
    """By a variable's name 0 for the stem, else the number of its group."""
    parts = [encoder.stem, *encoder.groups]
    return {v.name: k for k, part in enumerate(parts) for v in part.variables}


@pytest.fixture(scope="module")
def resnet():
    model = _learner("resnet18x0.0625", 32)
    # The order of `get_weights` is another once layers are frozen.
    return model, [(variable, variable.numpy()) for variable in model.variables]


@pytest.mark.parametrize("block", [-1, 0, 1, 2, 3, 4])
def test_parts_of_a_resnet(resnet, block):
    model, weights = resnet
    for variable, value in weights:
        variable.assign(value)
    freeze_up_to(model.encoder, block)
    before = [v.numpy() for v in model.encoder.variables]
    head = model.projection_head.classes.kernel.numpy()
    _train(model, 32)
    parts, moved = _parts(model.encoder), set()
    for variable, old in zip(model.encoder.variables, before):
        if parts[variable.name] <= block:
            # Weights, and the means and variances of batch norm.
            np.testing.assert_array_equal(variable, old, err_msg=variable.name)
        elif not np.array_equal(variable, old):
            moved.add(parts[variable.name])
    assert moved == set(range(block + 1, 5))
    assert not np.array_equal(model.projection_head.classes.kernel, head)


def test_quarters_of_a_vision_transformer():
    model = _learner("vit_tiny8", 16)
    freeze_up_to(model.encoder, 2)
    frozen = [layer.trainable for layer in model.encoder.blocks]
    assert frozen == [False] * 6 + [True] * 6
    assert not model.encoder.patches.trainable
    assert not model.encoder.tokens.trainable
    assert model.encoder.norm.trainable
    freeze_up_to(model.encoder, -1)
    assert all(layer.trainable for layer in model.encoder.blocks)
    assert model.encoder.patches.trainable


def test_other_encoders_whole_or_not_at_all():
    encoder = tiny.encoder()
    encoder.build((None, 16, 16, 3))
    freeze_up_to(encoder, 4)
    assert not encoder.trainable_variables
    freeze_up_to(encoder, -1)
    assert encoder.trainable_variables
    with pytest.raises(UserError, match=r"must be -1, .* or 4, .* is a Sequential"):
        freeze_up_to(encoder, 1)
    with pytest.raises(UserError, match="must be -1 to 4, got 5"):
        freeze_up_to(encoder, 5)
