"""The images of a run of finetune or distill: learned from, and measured on."""

from __future__ import annotations

import contextlib
from typing import Any

from simclr_tf.data import Source, load, load_test, load_train_and_test
from simclr_tf.image_size import longer_side
from simclr_tf.training.classifier import classifier_folder
from simclr_tf.training.learned_from import was_learned_from
from simclr_tf.training.run_folder import RunFolder, RunFolderError

SEEN = (
    "The test images were learned from too, by this run or one before it: the figures "
    "will be better than on new images."
)


def measured_on(settings: Any) -> tuple[str, str | None]:
    """The `dataset` and `test_dataset` whose test images a run is measured on.

    A student of other images than its teacher's is measured on its teacher's.

    Args:
      settings: of a run of finetune or distill.

    Raises:
      RunFolderError: where the teacher is no longer there.
    """
    dataset, test_dataset = settings.dataset, settings.test_dataset
    teacher = getattr(settings, "teacher", None)
    if teacher is not None:
        found = classifier_folder(teacher).settings()
        try:
            taught, taught_test = measured_on(found)
        except RunFolderError:  # Its own teacher is gone.
            taught, taught_test = found.dataset, found.test_dataset
        if dataset != taught:
            return taught, test_dataset or taught_test
    return dataset, test_dataset


def load_learned_and_measured(settings: Any) -> tuple[Source, Source]:
    """All images that a run may learn from, and those that it is measured on.

    Their labels mean what they mean in the datasets.

    Args:
      settings: of a run of finetune or distill.

    Raises:
      DataError: see `load_train_and_test`.
      RunFolderError: see `measured_on`.
    """
    form: dict[str, Any] = {
        "image_size": longer_side(settings.image_size),
        "form": settings.form,
    }
    dataset, test_dataset = measured_on(settings)
    if dataset == settings.dataset:
        return load_train_and_test(dataset, test_dataset, **form)
    train = load(settings.dataset, "train", **form)
    return train, load_test(dataset, test_dataset, **form)


def has_seen(settings: Any, test: Source) -> bool:
    """Whether a run is known to have learned from the images that it is measured on.

    Itself, the run that it starts from, or its teacher may have; of runs that are
    gone, or cannot be read, nothing is known.

    Args:
      settings: of a run of finetune or distill.
      test: the images that it is measured on.
    """
    if test.spec == settings.dataset and test.split == "train":
        return True
    if settings.init is not None and not getattr(settings, "from_scratch", False):
        with contextlib.suppress(RunFolderError):
            start = RunFolder(settings.init)
            trained = start.is_run() and start.converted_from() is None
            if trained and was_learned_from(start.recipe(), test):
                return True
    if getattr(settings, "teacher", None) is not None:
        with contextlib.suppress(RunFolderError):
            return has_seen(classifier_folder(settings.teacher).settings(), test)
    return False
