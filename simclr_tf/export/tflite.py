"""A TensorFlow Lite file, for phones and small machines."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export.one_signature import function_of
from simclr_tf.export.served import Served

QUANTIZATIONS = ("none", "float16", "int8")


def write_tflite(
    served: Served,
    path: str,
    quantize: str = "none",
    calibration: Sequence[tf.Tensor] = (),
) -> None:
    """Writes a `.tflite` file with the signature `serving_default`.

    It takes `images`, float32 in [0, 1], and gives `features` or `probabilities`,
    float32, whatever it computes in.

    Args:
      served: the model; with "int8" its images are of one size.
      path: of the file, local.
      quantize: "none", float32; "float16", whose weights are kept in float16 and take
        half the space; "int8", which computes in 8-bit integers, with weights of a
        quarter of the space.
      calibration: images `[H, W, C]` as `served.as_input` gives them, which show "int8"
        the range of each activation; some hundreds of the kind that it will see.

    Raises:
      UserError: where the converter does not take the encoder.
    """
    function = function_of(served, checked=quantize != "int8")
    root = tf.train.Checkpoint(variables=list(served.model.variables))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(root, folder, signatures=function)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        _quantize(converter, quantize, calibration)
        try:
            with _quiet():
                contents = converter.convert()
        # Its errors have classes of their own, that of one version not of another.
        except Exception as error:
            raise UserError(
                "TensorFlow Lite's converter does not take this encoder: "
                f"{_first_line(error)}. Export savedmodel, keras or onnx."
            ) from error
    with open(path, "wb") as file:
        file.write(contents)


def _quantize(
    converter: tf.lite.TFLiteConverter, quantize: str, calibration: Sequence[tf.Tensor]
) -> None:
    if quantize == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return

    def images() -> Iterator[dict[str, np.ndarray]]:
        for image in calibration:
            yield {"images": np.asarray(image, np.float32)[None]}

    converter.representative_dataset = images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what the converter writes to file descriptor 2, page-long tables of it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
