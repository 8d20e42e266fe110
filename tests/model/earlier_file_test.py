"""Files that earlier versions saved are loaded, or it is said how they can be."""

import pathlib
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.errors import UserError

# A SimCLR whose head has three batch norms, saved when the class was called
# SyncBatchNormalization, and what it gave for the images below.
EARLIER = pathlib.Path(__file__).parent / "earlier_simclr.keras"
PROJECTIONS = [[197.618378, 1.268574, 83.464935], [582.462280, 3.782397, 233.184097]]


def test_a_model_with_batch_norm_by_its_earlier_name_is_loaded_whole(tmp_path):
    images = np.reshape(
        np.linspace(0, 1, 2 * 8 * 8 * 3, dtype=np.float32), [2, 8, 8, 3]
    )
    model = tf.keras.models.load_model(EARLIER)
    model.save(tmp_path / "again.keras")
    for each in (model, tf.keras.models.load_model(tmp_path / "again.keras")):
        projections = each.projection_head(each(images), training=False)
        np.testing.assert_allclose(projections, PROJECTIONS, rtol=1e-5)


def test_where_it_cannot_be_read_it_is_said_what_to_do(tmp_path):
    """In a list of layers of the user's own."""
    layers = [tf.keras.Input([4]), SyncBatchNormalization(name="norm")]
    path = tmp_path / "model.keras"
    tf.keras.Sequential(layers).save(path)
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path)
    with h5py.File(tmp_path / "model.weights.h5", "a") as file:
        names = []
        file.visit(names.append)
        (name,) = (n for n in names if n.endswith("cross_replica_batch_normalization"))
        file.move(name, name.replace("cross_replica", "sync"))
    with zipfile.ZipFile(path, "w") as file:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            file.write(tmp_path / name, name)
    with pytest.raises(UserError, match=r"layer norm\..*earlier .*save_weights"):
        tf.keras.models.load_model(path)
