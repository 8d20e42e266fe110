"""A `.keras` file that Keras reads without this package."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from typing import Any

from simclr_tf.export.served import Served
from simclr_tf.export.stock_model import stock_model

_CONFIG = "config.json"


def write_keras(served: Served, path: str) -> None:
    """Writes the model, of stock layers, as a `.keras` file.

    Keras 2 (TensorFlow 2.13 to 2.15, and tf-keras) reads it: `keras.models.load_model`.
    Keras 3 reads it too where the images have one size, `served.input_size`; what
    brings images of any size to the encoder's is made of operations that only Keras 2
    saves.

    Args:
      served: the model.
      path: of the file, local.

    Raises:
      NotStock: where the encoder has layers of the user's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved = os.path.join(folder, "model.keras")
        stock_model(served).save(saved)
        with zipfile.ZipFile(saved) as before, zipfile.ZipFile(path, "w") as archive:
            for name in before.namelist():
                contents = before.read(name)
                if name == _CONFIG:
                    portable = _portable(json.loads(contents))
                    contents = json.dumps(portable).encode()
                archive.writestr(name, contents)


def _portable(config: Any) -> Any:
    """A configuration as every Keras writes or reads it, from one of Keras 2.

    Keras 2 names the module of a Functional model by where its code lies, and gives
    the one axis of a normalisation as a list.
    """
    if isinstance(config, list):
        return [_portable(each) for each in config]
    if not isinstance(config, dict):
        return config
    config = {name: _portable(each) for name, each in config.items()}
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    if config.get("class_name") == "Functional":
        config.update(module="keras", class_name="Model", registered_name=None)
    if config.get("class_name") == "InputLayer":
        config["config"].pop("optional", None)  # Of later versions, False.
    return config
