"""Which classes are told apart, and which are taken for one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_NAMED_AT_MOST = 3


def confusion_of(
    guesses: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """How often each class was taken for which, int64 `[C, C]`.

    Args:
      guesses: int `[N]` in [0, C).
      labels: int `[N]` in [0, C), the true classes: the rows.
      num_classes: C.
    """
    counts = np.bincount(labels * num_classes + guesses, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def class_accuracies(confusion: np.ndarray) -> np.ndarray:
    """The share of each class that is right, `[C]`; NaN of a class without examples.

    Args:
      confusion: counts `[C, C]`, see `confusion_of`.
    """
    examples = confusion.sum(axis=1)
    return np.divide(
        np.diag(confusion),
        examples,
        out=np.full(len(confusion), np.nan),
        where=examples > 0,
    )


def mean_per_class(confusion: np.ndarray) -> float:
    """The mean of the shares of each class that are right, of classes with examples.

    Args:
      confusion: see `confusion_of`.
    """
    return float(np.nanmean(class_accuracies(confusion)))


def describe_classes(confusion: np.ndarray, names: Sequence[str]) -> str:
    """The classes that are recognised least and best, in a line for a person.

    Args:
      confusion: counts `[C, C]`, see `confusion_of`.
      names: of the C classes.

    Returns:
      Up to three of each, no class twice, with their accuracies, and for the least what
      they are taken for most often.
    """
    accuracies = class_accuracies(confusion)
    order = np.argsort(accuracies, kind="stable")  # NaN comes last.
    order = order[: int(np.sum(~np.isnan(accuracies)))]
    count = min(_NAMED_AT_MOST, max(len(order) // 2, 1))
    least = ", ".join(_with_mistake(confusion, names, k) for k in order[:count])
    if len(order) <= count:
        return f"Classes: {least}."
    best = ", ".join(f"{names[k]} {accuracies[k]:.2f}" for k in order[::-1][:count])
    return f"Best classes: {best}. Least: {least}."


def _with_mistake(confusion: np.ndarray, names: Sequence[str], k: int) -> str:
    others = confusion[k].copy()
    others[k] = 0
    text = f"{names[k]} {class_accuracies(confusion)[k]:.2f}"
    if not others.any():
        return text
    return f"{text} (most often taken for {names[int(np.argmax(others))]})"
