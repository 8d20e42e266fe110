"""What features depend on changes their digest, and nothing else does."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import load
from simclr_tf.embeddings import embedding_digest, saved_model_digest, weights_digest
from tests import tiny


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for place in range(4):
        pixels = np.full([8, 8, 3], 8 * place, np.uint8)
        Image.fromarray(pixels).save(folder / f"{place}.bmp")
    return folder


def digest(folder, encoder="e", **settings):
    return embedding_digest(load(f"folder:{folder}", "train"), encoder, settings)


def test_it_changes_with_images_encoder_and_settings(folder):
    first = digest(folder, size=8)
    assert digest(folder, size=8) == first
    assert digest(folder, size=9) != first
    assert digest(folder, "other", size=8) != first
    # Another picture of the same name and size.
    path = folder / "2.bmp"
    before = path.stat()
    Image.fromarray(np.full([8, 8, 3], 200, np.uint8)).save(path)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert digest(folder, size=8) != first


def test_weights_are_told_apart_by_their_values(tmp_path):
    tf.keras.utils.set_random_seed(2)
    model = tiny.encoder()
    model.build([None, 8, 8, 3])
    first = weights_digest(model)
    assert weights_digest(model) == first
    weight = model.variables[0]
    value = weight.numpy()
    weight.assign(np.nextafter(value, 9.0))
    assert weights_digest(model) != first
    weight.assign(value)
    assert weights_digest(model) == first

    paths = [str(tmp_path / name) for name in ("a", "b")]
    for path in paths:
        tf.saved_model.save(model, path)
        weight.assign(np.nextafter(value, 9.0))
    assert saved_model_digest(paths[0]) == saved_model_digest(paths[0])
    assert saved_model_digest(paths[0]) != saved_model_digest(paths[1])
