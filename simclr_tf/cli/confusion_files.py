"""The confusion matrix of an evaluation, as a file of numbers and as a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import numpy as np

from simclr_tf.cli import output
from simclr_tf.evaluation import EvaluationResult
from simclr_tf.evaluation.confusion import class_accuracies
from simclr_tf.pictures import draw_confusion, save_figure


def names_of_classes(
    result: EvaluationResult, class_names: Sequence[str] | None
) -> list[str]:
    """The names of the result's classes, in the order of its confusion matrix.

    Args:
      result: of a classifier.
      class_names: of all labels, where they have names.
    """
    assert result.classes is not None
    labels = result.classes.tolist()
    return [class_names[k] if class_names else str(k) for k in labels]


def write_confusion(
    confusion: np.ndarray, names: Sequence[str], method: str, path: str
) -> str:
    """Writes `NAME_confusion.json` and `NAME_confusion.png` beside a result's file.

    Args:
      confusion: counts `[C, C]`, see `confusion_of`.
      names: of the C classes.
      method: what told them apart.
      path: of the result's own file, whose name without its ending is NAME.

    Returns:
      The path of the picture.

    Raises:
      UserError: a file cannot be written.
    """
    stem = f"{os.path.splitext(path)[0]}_confusion"
    accuracies = class_accuracies(confusion)
    values = {
        "classes": list(names),
        "top1": [None if each != each else float(each) for each in accuracies],
        "confusion": confusion.tolist(),
        "rows": "true classes",
        "columns": "what their test images were taken for",
    }
    output.write(f"{stem}.json", (json.dumps(values) + "\n").encode())
    images = confusion.sum()
    top1 = np.trace(confusion) / images
    title = f"{method}: {images:,} test images, top-1 {top1:.4f}"
    picture = draw_confusion(confusion, names, title)
    save_figure(picture, f"{stem}.png")
    return f"{stem}.png"
