"""An ONNX file, for runtimes other than TensorFlow."""

from __future__ import annotations

import importlib
import math
from typing import Any

from simclr_tf.errors import UserError
from simclr_tf.export.one_signature import function_of
from simclr_tf.export.served import Served

_OPSET = 17
_MOST_BYTES = 2**31  # Of a protocol buffer.


def require_onnx() -> None:
    """Raises UserError where what writes and checks ONNX files is not installed."""
    for name in ("tf2onnx", "onnx", "onnxruntime"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"--format=onnx needs {name}, which is not installed: pip install "
                "'simclr-tf[onnx]' (Python 3.10 or newer)."
            ) from error


def write_onnx(served: Served, path: str) -> None:
    """Writes a `.onnx` file of opset 17, for batches of any number.

    It takes `images`, float32 in [0, 1] `[B, H, W, C]`, and gives `features` or
    `probabilities`.

    Args:
      served: the model.
      path: of the file, local.

    Raises:
      UserError: where tf2onnx is not installed or does not take the encoder, or the
        weights are more than a file holds, 2 GB.
    """
    require_onnx()
    tf2onnx: Any = importlib.import_module("tf2onnx")
    count = sum(math.prod(each.shape) for each in served.model.variables)
    if 4 * count >= _MOST_BYTES:
        raise UserError(
            f"an ONNX file holds 2 GB, and the weights take {4 * count / 1e9:.1f} GB: "
            "export savedmodel or keras."
        )
    function = function_of(served)
    try:
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=_OPSET
        )
    except Exception as error:  # Of any class, from any layer.
        lines = str(error).splitlines() or [type(error).__name__]
        raise UserError(
            f"tf2onnx does not take this encoder: {lines[0]}. Export savedmodel or "
            "keras."
        ) from error
    with open(path, "wb") as file:
        file.write(proto.SerializeToString())
