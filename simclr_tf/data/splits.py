"""Training and test images of one dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.kinds import load
from simclr_tf.data.source import DataError, MissingSplit, Source
from simclr_tf.data.subset import Subset, shuffled_places

HELD_OUT = "held out"  # the name of a split that `load_train_and_test` made
_HELD_OUT_SHARE = 0.2


class PretrainingData(NamedTuple):
    """What a pretraining learns from, and what it is measured on.

    Attributes:
      train: the images to learn from.
      bank: labelled images that vote in kNN while training, or None where kNN
        cannot be measured.
      queries: labelled images to classify by the bank, or None with it.
      note: a line for a person on images held out, or on why kNN is not
        measured; "" where there is nothing to say.
    """

    train: Source
    bank: Source | None
    queries: Source | None
    note: str


def load_for_pretraining(
    dataset: str,
    test_dataset: str | None = None,
    eval_dataset: str | None = None,
    *,
    image_size: int | None,
    labels: bool,
    pretrain_on_all: bool = False,
    form: ImageForm = AS_IT_IS,
) -> PretrainingData:
    """The images to pretrain on, and those that show how it goes.

    Where labelled images have no test split, the fifth that `load_train_and_test`
    holds out is not among the images to learn from. Each split is loaded once.

    Args:
      dataset: see `load`.
      test_dataset: where the test images are, if not in `dataset`'s test split.
      eval_dataset: another dataset to measure on, by its own labels; nothing of
        `dataset` is then held out.
      image_size: see `load`.
      labels: whether labels are used, where there are any. Without them nothing is
        measured and nothing held out.
      pretrain_on_all: learn from all images, the held-out ones included.
      form: of all of these images, see `load`.

    Raises:
      DataError: see `load_train_and_test`.
    """

    def load_split(spec: str, split: str) -> Source:
        return load(spec, split, image_size=image_size, labels=labels, form=form)

    whole = load_split(dataset, "train")
    if eval_dataset is not None:
        try:
            bank, queries = load_train_and_test(
                eval_dataset, image_size=image_size, form=form
            )
        except MissingSplit as error:
            raise DataError(f"{eval_dataset} cannot be measured on: {error}") from None
        if bank.num_classes is None or queries.num_classes is None:
            raise DataError(f"eval_dataset must have labels, and {bank} has none.")
        return PretrainingData(whole, bank, queries, f"Measured on {bank}.")
    if whole.num_classes is None:
        return PretrainingData(whole, None, None, "")
    try:
        test = _load_test(whole, dataset, test_dataset, load_split)
        bank, queries = (whole, test) if test else _hold_out(whole)
    except MissingSplit as error:
        return PretrainingData(whole, None, None, f"{error} kNN is not measured.")
    if queries.split != HELD_OUT:
        return PretrainingData(whole, bank, queries, "")
    counts = f"{len(queries):,} of {len(whole):,}"
    if pretrain_on_all:
        note = (
            f"Learning from all images, also from the {counts} held out to measure on: "
            "the figures will be better than on new images."
        )
        return PretrainingData(whole, bank, queries, note)
    note = (
        f"A part of the images, {counts}, is held out to measure on and is not "
        "learned from; --pretrain_on_all learns from all."
    )
    return PretrainingData(bank, bank, queries, note)


def load_train_and_test(
    dataset: str,
    test_dataset: str | None = None,
    *,
    image_size: int | None = None,
    labels: bool = True,
    form: ImageForm = AS_IT_IS,
) -> tuple[Source, Source]:
    """The images to fit an evaluation on, and those to measure it on.

    Args:
      dataset: see `load`.
      test_dataset: where the test images are, if not in `dataset`'s test split.
      image_size: see `load`.
      labels: see `load`.
      form: see `load`.

    Returns:
      Both sources. Where there is no test split, a fifth of the images is held
      out, the same at each call, as the split `HELD_OUT`: of labelled images a
      fifth of each class, at least one of two or more; images labelled -1 are not
      held out.

    Raises:
      DataError: where a dataset is not as it should be, the two have different
        classes, or too few images are left to hold some out.
      MissingSplit: where there is no test split and no class has two images.
    """

    def load_split(spec: str, split: str) -> Source:
        return load(spec, split, image_size=image_size, labels=labels, form=form)

    train = load_split(dataset, "train")
    test = _load_test(train, dataset, test_dataset, load_split)
    return _hold_out(train) if test is None else (train, test)


def _load_test(
    train: Source,
    dataset: str,
    test_dataset: str | None,
    load_split: Callable[[str, str], Source],
) -> Source | None:
    """The images to measure on, or None where some must be held out for that."""
    if test_dataset is not None:
        try:
            test = load_split(test_dataset, "test")
        except MissingSplit:
            test = load_split(test_dataset, "train")
    else:
        try:
            test = load_split(dataset, "test")
        except MissingSplit:
            return None
    _require_same_classes(train, test)
    _require_same_channels(train, test)
    return test


def _hold_out(source: Source) -> tuple[Source, Source]:
    """The source without the images held out, and these."""
    places = _held_out_places(source)
    kept = np.setdiff1d(np.arange(len(source)), places)
    return Subset(source, kept, source.split), Subset(source, places, HELD_OUT)


def _held_out_places(source: Source) -> np.ndarray:
    """The places of the images to hold out, in rising order."""
    order = shuffled_places(len(source))
    labels = source.labels()
    if labels is None:
        if len(source) < 2:
            raise DataError(f"{source} cannot be split: at least 2 images are needed.")
        return np.sort(order[: max(round(len(source) * _HELD_OUT_SHARE), 1)])
    by_class = order[np.argsort(labels[order], kind="stable")]
    by_class = by_class[labels[by_class] >= 0]
    _, firsts = np.unique(labels[by_class], return_index=True)
    held_out = []
    for members in np.split(by_class, firsts[1:]):
        count = min(max(round(len(members) * _HELD_OUT_SHARE), 1), len(members) - 1)
        held_out.append(members[: max(count, 0)])
    places = np.sort(np.concatenate(held_out))
    if not len(places):
        raise MissingSplit(
            f"{source} has no test split, and no class has two images, so that one "
            "could be held out. Give --test_dataset."
        )
    return places


def _require_same_channels(train: Source, test: Source) -> None:
    """Raises DataError where one encoder could not take both."""
    channels, others = train.image_shape[-1], test.image_shape[-1]
    if channels != others:
        raise DataError(
            f"{train.spec} ({train.split}) has images of {channels} channels and "
            f"{test.spec} ({test.split}) of {others}: an encoder takes one number."
        )


def _require_same_classes(train: Source, test: Source) -> None:
    """Raises DataError where a label would not mean the same in both."""
    if train.num_classes is None or test.num_classes is None:
        return
    names, others = train.class_names, test.class_names
    if names == others and test.num_classes <= train.num_classes:
        return
    if names is None or others is None or set(names) == set(others):
        difference = f"{names or train.num_classes} and {others or test.num_classes}."
    else:
        alone = ((train, set(names) - set(others)), (test, set(others) - set(names)))
        difference = "; ".join(
            f"only {source.split} has {', '.join(sorted(own))}"
            for source, own in alone
            if own
        )
    raise DataError(
        f"{train.spec} ({train.split}) and {test.spec} ({test.split}) have different "
        f"classes: {difference}"
    )
