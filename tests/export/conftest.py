"""A model and its export, made once for all tests of this room."""

import pytest
import tensorflow as tf

from simclr_tf.export import export_encoder
from tests.export.exported import SIDE, small_model


@pytest.fixture(scope="session")
def trained():
    """A model that was trained in bfloat16, as by default on machines fast in it."""
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = small_model()
    tf.keras.mixed_precision.set_global_policy("float32")
    return model


@pytest.fixture(scope="session")
def model(trained):
    """The same weights in a model of float32, which the export has to agree with."""
    model = small_model()
    model.set_weights(trained.get_weights())
    return model


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "encoder"
    export_encoder(trained, path, image_size=SIDE)
    return path


@pytest.fixture(scope="session")
def loaded(exported):
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="session")
def any_size_folder(model, tmp_path_factory):
    """Exported with no image size, and while its encoder was frozen."""
    path = tmp_path_factory.mktemp("any_size") / "encoder"
    model.encoder.trainable = False
    export_encoder(model, path)
    model.encoder.trainable = True
    return path


@pytest.fixture(scope="session")
def any_size(any_size_folder):
    return tf.saved_model.load(str(any_size_folder))


@pytest.fixture
def to_train(exported):
    """Loaded for one test, which changes its variables."""
    return tf.saved_model.load(str(exported))
