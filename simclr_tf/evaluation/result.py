"""The accuracies and settings that an evaluation returns."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from simclr_tf.evaluation.accuracy import ranks, top1_and_top5
from simclr_tf.evaluation.confusion import confusion_of, mean_per_class
from simclr_tf.evaluation.labelled_features import LabelledFeatures
from simclr_tf.evaluation.linear_classifier import LinearClassifier

# What `to_dict` leaves out.
_ARRAYS = ("hits", "confusion", "classes", "classifier")


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Accuracies of a classifier on frozen features, with its settings.

    Examples:
      >>> h, y = np.eye(6), [0, 0, 0, 1, 1, 1]
      >>> result = simclr_tf.evaluation.knn(h, y, h, y, k=1)
      >>> result.top1, result.num_test
      (1.0, 6)

    Attributes:
      method: `"linear probe"`, `"ridge probe"` or `"knn"`.
      top1: share of test examples whose class has the highest score, 0 to 1.
      top5: share of test examples whose class is among the five highest scores,
        0 to 1; None where there are fewer than five classes, because it
        would carry no information.
      num_classes: number of classes among the labelled training examples.
      num_train: number of labelled training examples used.
      num_test: number of labelled test examples used.
      num_unlabelled: number of training and test examples that were left out because
        their label is -1.
      hyperparameters: the classifier's settings, including those that it chose itself.
      converged: whether the solver reached its tolerance; None for a classifier
        without a solver.
      seconds: wall time of the evaluation, feature extraction excluded.
      note: where the evaluation departed from the request, and why; "" where it did
        not.
      hits: bool `[num_test]`, whether each test example's class has the highest score,
        in the examples' order; their mean is `top1`. `to_dict` leaves it out, and what
        follows `mean_per_class`.
      mean_per_class: the mean of the classes' own `top1`, of those among the test
        examples; None where it was not measured.
      confusion: int64 `[C, C]`, how many test examples of the class of each row were
        taken for that of each column.
      classes: int64 `[C]`, the labels of rows and columns.
      classifier: the linear classifier, whose scores are in the order of `classes`;
        None of other methods.
    """

    method: str
    top1: float
    top5: float | None
    num_classes: int
    num_train: int
    num_test: int
    num_unlabelled: int
    hyperparameters: Mapping[str, float]
    converged: bool | None
    seconds: float
    note: str = ""
    hits: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    mean_per_class: float | None = None
    confusion: np.ndarray | None = dataclasses.field(
        default=None, repr=False, compare=False
    )
    classes: np.ndarray | None = dataclasses.field(
        default=None, repr=False, compare=False
    )
    classifier: LinearClassifier | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    def to_dict(self) -> dict[str, Any]:
        """The attributes as a dict that `json` can write."""
        fields = (field.name for field in dataclasses.fields(self))
        values = {n: getattr(self, n) for n in fields if n not in _ARRAYS}
        return {**values, "hyperparameters": dict(self.hyperparameters)}

    def __str__(self) -> str:
        accuracies = f"top-1 {self.top1:.4f}"
        if self.top5 is not None:
            accuracies += f", top-5 {self.top5:.4f}"
        if self.mean_per_class is not None:
            accuracies += f", mean per class {self.mean_per_class:.4f}"
        settings = ", ".join(f"{k}={v:g}" for k, v in self.hyperparameters.items())
        text = (
            f"{self.method}: {accuracies} ({settings}; {self.num_classes} classes, "
            f"{self.num_train} train, {self.num_test} test"
        )
        if self.num_unlabelled:
            text += f", {self.num_unlabelled} unlabelled left out"
        text += f"; {self.seconds:.1f} s)"
        if self.converged is False:
            text += " - the solver did not converge"
        if self.note:
            text += f" - {self.note}"
        return text


def result_of_scores(
    method: str,
    scores: np.ndarray,
    data: LabelledFeatures,
    started: float,
    hyperparameters: Mapping[str, float],
    *,
    converged: bool | None = None,
    note: str = "",
    classifier: LinearClassifier | None = None,
) -> EvaluationResult:
    """The result of a classifier.

    Args:
      method: see `EvaluationResult`, as what follows where it is not explained here.
      scores: floating point `[M, C]` of the test examples, higher for a more likely
        class; -inf for one that is ruled out.
      data: what it learned from and was tested on.
      started: `time.perf_counter()` when it began.
      hyperparameters: its settings.
      converged: whether its solver did.
      note: where it departed from the request.
      classifier: that gave the scores, where it is a linear one.
    """
    confusion = confusion_of(np.argmax(scores, axis=1), data.test_y, len(data.classes))
    top1, top5 = top1_and_top5(scores, data.test_y)
    return EvaluationResult(
        method=method,
        top1=top1,
        top5=top5,
        num_classes=len(data.classes),
        num_train=len(data.train_h),
        num_test=len(data.test_h),
        num_unlabelled=data.num_unlabelled,
        hyperparameters=hyperparameters,
        converged=converged,
        seconds=time.perf_counter() - started,
        note=note,
        hits=ranks(scores, data.test_y) < 1,
        mean_per_class=mean_per_class(confusion),
        confusion=confusion,
        classes=data.classes,
        classifier=classifier,
    )
