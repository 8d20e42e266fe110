"""Which images a run learned from, and which it was measured on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simclr_tf.data import (
    DataError,
    Source,
    labelled_part,
    load,
    load_for_pretraining,
)
from simclr_tf.data.relabelled import Relabelled, with_class_names
from simclr_tf.data.train_labels import choose_train_labels
from simclr_tf.image_size import longer_side
from simclr_tf.training import ResolvedRecipe, RunFolder, RunFolderError
from simclr_tf.training.classifier import Classes, trained_classifier
from simclr_tf.training.classifier_images import has_seen, load_learned_and_measured
from simclr_tf.training.fine_tuning import FINETUNING
from simclr_tf.training.learned_from import was_learned_from


class RunImages(NamedTuple):
    """The images of a run.

    Attributes:
      train: those that it learned from.
      others: more, that it was measured on; None where there are no others.
      held_out: whether nothing was learned from those.
      classes: names of the classes, for the labels of both.
      note: a line for a person, or "".
    """

    train: Source
    others: Source | None
    held_out: bool
    classes: list[str]
    note: str = ""

    @property
    def sources(self) -> list[tuple[Source, bool]]:
        """Each, and whether it is held out."""
        train = (self.train, False)
        return [train] if self.others is None else [train, (self.others, self.held_out)]


def images_of_run(run: RunFolder) -> RunImages:
    """The images of a run of any command, as it was trained and measured.

    Raises:
      UserError: where the run has no settings, or its images cannot be read.
    """
    classifier = trained_classifier(run.path)
    if classifier is None:
        return _of_pretraining(run.recipe())
    return _of_classifier(classifier)


def _of_pretraining(recipe: ResolvedRecipe) -> RunImages:
    data = load_for_pretraining(
        recipe.dataset,
        recipe.test_dataset,
        recipe.eval_dataset,
        image_size=longer_side(recipe.image_size),
        labels=recipe.labels,
        pretrain_on_all=recipe.pretrain_on_all,
        form=recipe.form,
    )
    others = data.queries
    # Images of eval_dataset have classes of their own.
    if others is None or recipe.eval_dataset or was_learned_from(recipe, others):
        others = None
    return RunImages(data.train, others, True, _classes(data.train))


def _of_classifier(run: RunFolder) -> RunImages:
    settings, names = run.settings(), Classes.read(run).names
    try:
        train, test = load_learned_and_measured(settings)
    except RunFolderError as error:
        size = longer_side(settings.image_size)
        train = load(settings.dataset, "train", image_size=size, form=settings.form)
        note = f"No image is known to be held out, since the teacher is gone: {error}"
        return RunImages(_labelled_as(train, names), None, False, names, note)
    if run.kind is FINETUNING:  # A distillation learns from all images.
        train = choose_train_labels(train, settings.train_labels, settings.seed)[0]
    train, test = _labelled_as(train, names), _labelled_as(test, names)
    if not has_seen(settings, test):
        return RunImages(train, labelled_part(test), True, names)
    note = (
        "No image is held out: the test images were learned from too, by this run or "
        "one before it."
    )
    again = test.spec == settings.dataset and test.split == "train"
    return RunImages(train, None if again else labelled_part(test), False, names, note)


def _labelled_as(source: Source, names: list[str]) -> Source:
    """A source whose labels are places in `names`, none where it has other classes."""
    if source.num_classes is None:
        return source
    try:
        return with_class_names(source, names)
    except DataError:
        unknown = np.full(source.num_classes, -1)
        return Relabelled(source, unknown, len(names), names)


def _classes(source: Source) -> list[str]:
    if source.class_names is not None:
        return [str(name) for name in source.class_names]
    return [f"class {number}" for number in range(source.num_classes or 0)]
