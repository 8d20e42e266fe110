"""An image size that an encoder does not take is told in one line."""

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import export_encoder
from simclr_tf.model import SimCLR


def _model(*layers):
    encoder = tf.keras.Sequential([tf.keras.Input([16, 16, 3]), *layers])
    model = SimCLR(encoder, tf.keras.layers.Dense(2))
    model.build([None, 16, 16, 3])
    return model


def test_another_size_than_the_encoders_is_a_mistake(tmp_path):
    model = _model(tf.keras.layers.Flatten(), tf.keras.layers.Dense(4))
    with pytest.raises(UserError, match=r"does not take images of 8 px.*Input 0"):
        export_encoder(model, tmp_path / "encoder", image_size=8)
    assert not (tmp_path / "encoder").exists()


def test_images_too_small_for_its_convolutions_are_a_mistake(tmp_path):
    encoder = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(2, 9), tf.keras.layers.GlobalAveragePooling2D()]
    )
    model = SimCLR(encoder, tf.keras.layers.Dense(2))
    model.build([None, 16, 16, 3])
    with pytest.raises(UserError, match=r"does not take images of 8 px"):
        export_encoder(model, tmp_path / "encoder", image_size=8)
