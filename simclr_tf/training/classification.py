"""What a trained classifier says of images, and how often it is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import (
    DataError,
    MissingSplit,
    Source,
    data_errors,
    evaluation_batches,
    load,
    load_test,
)
from simclr_tf.data.relabelled import with_class_names
from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluation import encode
from simclr_tf.image_size import longer_side
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.training.classifier import classifier_folder, load_classifier
from simclr_tf.training.classifier_accuracy import Accuracies, Logits, accuracies_of
from simclr_tf.training.classifier_images import SEEN, has_seen, measured_on

_BATCH = 250


class Classified(NamedTuple):
    """A classifier's answers for the images of a source.

    Attributes:
      source: the images.
      names: of the K classes.
      probabilities: float32 `[N, K]`, NaN of images that cannot be read.
      labels: int64 `[N]`, places in `names`, -1 where unknown; None without labels.
      accuracies: of the images whose class is known; None where there are none.
    """

    source: Source
    names: list[str]
    probabilities: np.ndarray
    labels: np.ndarray | None
    accuracies: Accuracies | None


def classify(
    run_path: str,
    dataset: str | None = None,
    split: str | None = None,
    *,
    strategy: tf.distribute.Strategy | None = None,
    say: Callable[[str], None] = messages.say,
) -> Classified:
    """Classifies images, labelled or not, by a run of `finetune` or `distill`.

    Args:
      run_path: its folder.
      dataset: see `data.load`; the run's own test images where None.
      split: of the dataset; where None its test split, and all of a dataset that has
        none. Labels of classes that the run does not know count as unknown.
      strategy: the devices; the current one where None. All workers of it call this,
        and each is given all answers.
      say: called with each line that a person should read, by the chief alone.

    Raises:
      UserError: where the run or the images cannot be read.
    """
    strategy = strategy or tf.distribute.get_strategy()
    say = say if Crew(strategy).is_chief else messages.silent
    run = classifier_folder(run_path)
    settings = run.settings()
    run.told_where_unfinished(say)
    with strategy.scope():
        model, classes = load_classifier(run, SupervisedMethod(), say)
    source = _load(dataset, split, settings)
    say(f"Images: {source}")
    labelled = source.num_classes is not None
    if labelled:
        try:
            source = with_class_names(source, classes.names)
        except DataError as error:
            say(f"Nothing is counted as right or wrong: {error}")
            labelled = False
    batches = evaluation_batches(
        source, batch_size=_BATCH, image_size=settings.image_size
    )
    with data_errors(source):
        logits, labels = encode(Logits(model), batches, strategy=strategy)
    probabilities = tf.nn.softmax(logits).numpy()
    probabilities[source.unreadable()] = np.nan
    found = None
    if not labelled:
        labels = None
    elif labels is not None and (labels >= 0).any():
        found = accuracies_of(logits[labels >= 0], labels[labels >= 0])
        if has_seen(settings, source):
            say(SEEN)
    return Classified(source, classes.names, probabilities, labels, found)


def _load(dataset: str | None, split: str | None, settings: Any) -> Source:
    """The split, or the test split, or all images where there is no such."""
    form: dict[str, Any] = {
        "image_size": longer_side(settings.image_size),
        "form": settings.form,
    }
    if dataset is None:
        dataset, test_dataset = measured_on(settings)
        if split is None:
            return load_test(dataset, test_dataset, **form)
    if split is not None:
        return load(dataset, split, **form)
    try:
        return load(dataset, "test", **form)
    except MissingSplit:
        return load(dataset, "train", **form)
