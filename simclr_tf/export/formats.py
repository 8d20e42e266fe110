"""The formats of an export: what their files are called, written and measured by."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export.agreement import LIMITS, Agreement, check
from simclr_tf.export.fixed_view import cropped_size
from simclr_tf.export.keras_file import write_keras
from simclr_tf.export.onnx import require_onnx, write_onnx
from simclr_tf.export.saved_model import misfit_told
from simclr_tf.export.served import Served
from simclr_tf.export.tflite import QUANTIZATIONS, write_tflite
from simclr_tf.whole_files import replace_file, write_errors

# The file format of each, with its ending.
ENDINGS = {"keras": ".keras", "tflite": ".tflite", "onnx": ".onnx"}
FORMATS = ("savedmodel", *ENDINGS)


def require_format(file_format: str, quantize: str) -> None:
    """Raises UserError where a file format cannot be written as it is asked for."""
    if file_format not in FORMATS:
        raise UserError(f"format must be one of {FORMATS}, got {file_format!r}.")
    if quantize not in QUANTIZATIONS:
        raise UserError(f"quantize must be one of {QUANTIZATIONS}, got {quantize!r}.")
    if quantize != "none" and file_format != "tflite":
        raise UserError(
            f"quantize={quantize} is for the format tflite; {file_format} is float32."
        )
    if file_format == "onnx":
        require_onnx()


def with_input_size(served: Served, quantize: str) -> Served:
    """A model whose images have one size where a quantization needs that.

    Integers cannot compute which pixels make a view of an image of any size, so "int8"
    takes images of which the view is the centre, see `cropped_size`.
    """
    if quantize != "int8" or served.input_size is not None:
        return served
    return dataclasses.replace(served, input_size=cropped_size(served.image_size))


def export_file(
    served: Served,
    path: str | os.PathLike[str],
    file_format: str,
    *,
    quantize: str = "none",
    calibration: Sequence[tf.Tensor] = (),
    images: Sequence[tf.Tensor] = (),
) -> Agreement | None:
    """Writes a model as one file, and a JSON file beside it that says what it is.

    The file is written elsewhere, loaded in a process that cannot import this package,
    and compared with the model on real images, before it takes the place of `path`.

    Args:
      served: the model.
      path: of the file, local or remote; PATH.json lies beside it.
      file_format: "keras", "tflite" or "onnx".
      quantize: of tflite, see `write_tflite`.
      calibration: for "int8", images `[H, W, C]`, uint8 or floating point in [0, 1].
      images: to compare on; without any, nothing is compared.

    Returns:
      How the answers compare; None without images.

    Raises:
      Disagreement: where the file does not run, or its answers differ by more than
        `agreement.LIMITS` of its precision.
      UserError: where the format cannot hold the model, the encoder does not take
        images of its `image_size`, or the file cannot be written.
    """
    path = os.fspath(path)
    require_format(file_format, quantize)
    served = with_input_size(served, quantize)
    _require_fit(served)
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, f"model{ENDINGS[file_format]}")
        if file_format == "keras":
            write_keras(served, local)
        elif file_format == "onnx":
            write_onnx(served, local)
        else:
            inputs = [served.as_input(tf.convert_to_tensor(x)) for x in calibration]
            write_tflite(served, local, quantize, inputs)
        precision = "float32" if quantize == "none" else quantize
        found = None
        if images:
            found = check(served, file_format, local, images)
            found.require(LIMITS[precision])
        with open(local, "rb") as file:
            contents = file.read()
    says: dict[str, Any] = {
        "format": file_format,
        "precision": precision,
        **served.described(),
        "agreement": found and dataclasses.asdict(found),
    }
    with write_errors(path):
        replace_file(path, contents)
        replace_file(f"{path}.json", json.dumps(says, indent=2) + "\n")
    return found


def _require_fit(served: Served) -> None:
    """Raises UserError where the encoder does not take what it is to see of images."""
    views = tf.TensorSpec([None, *served.view_sides, served.channels])
    with misfit_told(served.image_size):
        tf.function(served.answer, autograph=False).get_concrete_function(views)
