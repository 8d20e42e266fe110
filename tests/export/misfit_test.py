"""An image size that an encoder does not take is told in one line."""

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import export_encoder
from simclr_tf.export.formats import export_file
from simclr_tf.export.served import Served
from simclr_tf.model import SimCLR


def _model(*layers):
    encoder = tf.keras.Sequential([tf.keras.Input([16, 16, 3]), *layers])
    model = SimCLR(encoder, tf.keras.layers.Dense(2))
    model.build([None, 16, 16, 3])
    return model


def _export(model, path, file_format):
    if file_format == "savedmodel":
        export_encoder(model, path, image_size=8)
    else:
        export_file(Served(model, 8), path, file_format)


# What ONNX files are written by is not everywhere; the check comes before it.
_FORMATS = ["savedmodel", "keras", "tflite"]


@pytest.mark.parametrize("file_format", _FORMATS)
def test_another_size_than_the_encoders_is_a_mistake(tmp_path, file_format):
    model = _model(tf.keras.layers.Flatten(), tf.keras.layers.Dense(4))
    with pytest.raises(UserError, match=r"does not take images of 8 px.*Input 0"):
        _export(model, tmp_path / "encoder", file_format)
    assert not (tmp_path / "encoder").exists()


@pytest.mark.parametrize("file_format", _FORMATS)
def test_images_too_small_for_its_convolutions_are_a_mistake(tmp_path, file_format):
    encoder = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(2, 9), tf.keras.layers.GlobalAveragePooling2D()]
    )
    model = SimCLR(encoder, tf.keras.layers.Dense(2))
    model.build([None, 16, 16, 3])
    with pytest.raises(UserError, match=r"does not take images of 8 px"):
        _export(model, tmp_path / "encoder", file_format)
