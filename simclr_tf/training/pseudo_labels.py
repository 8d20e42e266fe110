"""Labels that a classifier gives to images without: its confident guesses, balanced."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source, data_errors, evaluation_batches
from simclr_tf.data.train_labels import TrainLabels
from simclr_tf.evaluation import encode
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.training import run_files
from simclr_tf.training.classifier import load_classifier
from simclr_tf.training.classifier_accuracy import Logits
from simclr_tf.training.run_folder import RunFolder

_FILE = "pseudo_labels.json"
_BATCH = 250
_NAMED_AT_MOST = 20


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """Guessed labels of some images of a dataset.

    Attributes:
      places: of the images in the dataset, in rising order.
      labels: what is guessed of each.
      confident: of how many images a guess was confident, before they were balanced.
      asked: of how many images there were guesses.
      right: how many of `labels` are those that the dataset hides; None where it has
        none.
    """

    places: list[int]
    labels: list[int]
    confident: int
    asked: int
    right: int | None

    def note(self, names: Sequence[str]) -> str:
        """How many there are, of each class, and how many are right, in words."""
        counts = np.bincount(np.array(self.labels, int), minlength=len(names))
        each = [f"{name} {n:,}" for name, n in zip(names, counts)]
        if len(names) > _NAMED_AT_MOST:
            each = [f"{counts.min():,} to {counts.max():,} of each class"]
        note = (
            f"Pseudo-labels: of {self.asked:,} images without labels "
            f"{self.confident:,} are guessed with confidence, {len(self.labels):,} of "
            f"these are used, balanced: {', '.join(each)}."
        )
        if self.right is not None and self.labels:
            share = self.right / len(self.labels)
            note += f" Right, by the labels that were hidden: {share:.4f}."
        return note

    def figures(self) -> dict[str, int | None]:
        """For result.json."""
        return {
            "asked": self.asked,
            "confident": self.confident,
            "used": len(self.labels),
            "right": self.right,
        }


def pseudo_labels(
    run: RunFolder,
    train: Source,
    chosen: TrainLabels,
    threshold: float,
    *,
    strategy: tf.distribute.Strategy,
    writes: bool,
) -> PseudoLabels:
    """The confident guesses of a fine-tuned run; kept in its folder once they are made.

    All workers call this.

    Args:
      run: that has ended.
      train: all images of the dataset to learn from.
      chosen: those of them whose labels are known.
      threshold: least probability of a class that is guessed.
      strategy: the devices.
      writes: whether this worker writes the folder.
    """
    path = os.path.join(run.path, _FILE)
    before = run_files.read_json(path)
    if before is not None:
        return PseudoLabels(**before)
    places = np.setdiff1d(np.arange(len(train)), chosen.places)
    found = PseudoLabels([], [], 0, 0, None)
    if chosen.others is not None:
        with strategy.scope():
            model, _ = load_classifier(run, SupervisedMethod())
        settings = run.settings()
        batches = evaluation_batches(
            chosen.others, batch_size=_BATCH, image_size=settings.image_size
        )
        with data_errors(chosen.others):
            logits, _ = encode(Logits(model), batches, strategy=strategy)
        probabilities = tf.nn.softmax(logits).numpy()
        probabilities[chosen.others.unreadable()] = 0.0  # Nothing is known of those.
        found = confident_guesses(probabilities, places, threshold, train.labels())
    if writes:
        run_files.write_json(path, dataclasses.asdict(found))
    return found


def confident_guesses(
    probabilities: np.ndarray,
    places: np.ndarray,
    threshold: float,
    truth: np.ndarray | None,
) -> PseudoLabels:
    """The guesses that are at least so probable, the surest of each class.

    No class has more of them than the class in the middle of all, or one: a class that
    is guessed often would else be learned at the cost of the others.

    Args:
      probabilities: `[M, K]`.
      places: integers `[M]`, of the images in the dataset.
      threshold: least probability.
      truth: integers `[N]`, all labels of the dataset, -1 where unknown; None where
        there are none.
    """
    guess, surety = probabilities.argmax(axis=1), probabilities.max(axis=1)
    sure = surety >= threshold
    counts = np.bincount(guess[sure], minlength=probabilities.shape[1])
    most = max(int(np.median(counts)), 1)
    taken = []
    for label in range(probabilities.shape[1]):
        members = np.flatnonzero(sure & (guess == label))
        order = np.argsort(-surety[members], kind="stable")
        taken.append(members[order[:most]])
    rows = np.sort(np.concatenate(taken))
    right = None
    if truth is not None and (truth[places[rows]] >= 0).all():
        right = int((truth[places[rows]] == guess[rows]).sum())
    return PseudoLabels(
        places[rows].tolist(), guess[rows].tolist(), int(sure.sum()), len(guess), right
    )
