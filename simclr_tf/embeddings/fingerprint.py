"""What features depend on, in a few letters."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source
from simclr_tf.version import __version__


def weights_digest(encoder: tf.Module) -> str:
    """A digest of a model's weights: their shapes, dtypes and values.

    Args:
      encoder: a Keras model or another `tf.Module`.
    """
    digest = hashlib.sha256()
    for variable in encoder.variables:
        value = np.ascontiguousarray(variable.numpy())
        digest.update(f"{value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def saved_model_digest(path: str) -> str:
    """A digest of the files of a SavedModel: its graphs and its weights.

    Args:
      path: its folder, local or remote.
    """
    digest = hashlib.sha256()
    variables = os.path.join(path, "variables")
    files = [os.path.join(path, "saved_model.pb")]
    if tf.io.gfile.isdir(variables):
        names = sorted(tf.io.gfile.listdir(variables))
        files += [os.path.join(variables, name) for name in names]
    for file in files:
        digest.update(os.path.basename(file).encode() + b"\n")
        with tf.io.gfile.GFile(file, "rb") as opened:
            for block in iter(lambda: opened.read(2**22), b""):
                digest.update(block)
    return digest.hexdigest()


def embedding_digest(source: Source, encoder: str, settings: Mapping) -> str:
    """A digest of all that the features of a dataset depend on.

    It changes with the names, sizes and times of change of the images' files, the
    weights, the settings and the version of this package.

    Args:
      source: the images.
      encoder: a digest of the encoder.
      settings: what else makes a difference, such as the size of the images; its values
        are ready for JSON.
    """
    digest = hashlib.sha256()
    about = {
        "version": __version__,
        "source": source.fingerprint(),
        "encoder": encoder,
        "settings": dict(settings),
    }
    digest.update(json.dumps(about, sort_keys=True).encode())
    for line in source.states():
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()
