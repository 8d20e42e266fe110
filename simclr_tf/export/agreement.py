"""Whether an export answers real images as its source does."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export.served import Served
from simclr_tf.export.without_package import batches_of

_SCRIPT = str(pathlib.Path(__file__).resolve().parent / "without_package.py")


class Disagreement(UserError):
    """An export that does not load, or answers otherwise than its source."""


@dataclasses.dataclass(frozen=True)
class Limit:
    """How far an export may be from its source.

    Attributes:
      error: greatest `Agreement.error`.
      top1: least `Agreement.top1`.
    """

    error: float
    top1: float


# Of probabilities, which lie in [0, 1] whatever they tell apart.
_LEAST_SPREAD = 0.05
EXACT = Limit(error=0.01, top1=0.95)
LIMITS = {
    "float32": EXACT,
    "float16": Limit(error=0.05, top1=0.95),
    "bfloat16": Limit(error=0.2, top1=0.85),
    "int8": Limit(error=0.35, top1=0.8),
}


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How an export's answers compare with its source's.

    Attributes:
      images: that both answered.
      max_difference: the largest between two numbers.
      cosine: the lowest between the two answers of an image.
      error: root mean square of the differences, as a share of the spread of the
        source's answers over the images. A cosine is near 1 for any two images where
        features have a common part, as those behind a ReLU have; this is not.
      top1: share of the images whose most probable class is the same; None of features.
    """

    images: int
    max_difference: float
    cosine: float
    error: float
    top1: float | None = None

    def __str__(self) -> str:
        top1 = "" if self.top1 is None else f", same class {self.top1:.1%}"
        return (
            f"largest difference {self.max_difference:.2g}, lowest cosine "
            f"{self.cosine:.6f}, error {self.error:.2%} of the spread{top1}"
        )

    def require(self, limit: Limit) -> None:
        """Raises Disagreement where it is beyond a limit."""
        found = f"The export disagrees with its source on {self.images} images: {self}"
        if not self.error <= limit.error:
            raise Disagreement(
                f"{found}; the error may be {limit.error:.0%}. Nothing was written."
            )
        if self.top1 is not None and self.top1 < limit.top1:
            raise Disagreement(
                f"{found}; {limit.top1:.0%} must have the same class. Nothing was "
                "written."
            )


def agreement(want: np.ndarray, got: np.ndarray, *, classes: bool = False) -> Agreement:
    """Compares answers `[N, D]` with those of the source.

    Args:
      want: of the source.
      got: of the export.
      classes: whether they are probabilities of classes.
    """
    want, got = want.astype(np.float64), got.astype(np.float64)
    difference = got - want
    norms = np.linalg.norm(want, axis=1) * np.linalg.norm(got, axis=1)
    cosines = np.sum(want * got, axis=1) / np.maximum(norms, 1e-12)
    size = np.sqrt(np.mean(np.square(want)))
    spread = np.sqrt(np.mean(np.square(want - want.mean(axis=0))))
    # Of what is the same for all images, the differences are measured by its size.
    spread = max(spread, _LEAST_SPREAD if classes else 1e-3 * size)
    return Agreement(
        images=len(want),
        max_difference=float(np.max(np.abs(difference))),
        cosine=float(np.min(cosines)),
        error=float(np.sqrt(np.mean(np.square(difference))) / max(spread, 1e-12)),
        top1=float(np.mean(want.argmax(axis=1) == got.argmax(axis=1)))
        if classes
        else None,
    )


def check(
    served: Served,
    file_format: str,
    path: str,
    images: Sequence[tf.Tensor],
) -> Agreement:
    """Loads an export in a process of its own and compares its answers.

    The process cannot import this package.

    Args:
      served: the source.
      file_format: "savedmodel", "keras", "tflite" or "onnx".
      path: of the export, local.
      images: `[H, W, C]`, of any sizes, uint8 or floating point in [0, 1].

    Raises:
      Disagreement: where it does not load or run.
    """
    given = [served.as_input(tf.convert_to_tensor(image)) for image in images]
    want = np.concatenate(
        [served.answer(tf.stack(batch)).numpy() for batch in batches_of(given)]
    )
    with tempfile.TemporaryDirectory() as folder:
        files = {name: os.path.join(folder, f"{name}.npz") for name in _FILES}
        np.savez(files["given"], *[image.numpy() for image in given])
        arguments = {
            **files,
            "format": file_format,
            "path": path,
            "output": served.output,
            "sys_path": [entry for entry in sys.path if entry],
        }
        _run(arguments)
        with np.load(files["answers"]) as answers:
            got = answers["answers"]
    return agreement(want, got, classes=served.classes is not None)


_FILES = ("given", "answers")


def _run(arguments: dict[str, Any]) -> None:
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    # This process may hold all of a GPU's memory.
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
    done = subprocess.run(
        [sys.executable, "-I", _SCRIPT, json.dumps(arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Disagreement(
            f"The {arguments['format']} export does not run in a process without "
            f"simclr_tf: {lines[-1][:300] if lines else done.returncode}. Nothing was "
            "written."
        )
