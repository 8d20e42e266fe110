"""Training and test images of one dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.kinds import load
from simclr_tf.data.relabelled import Relabelled
from simclr_tf.data.source import DataError, MissingSplit, Source
from simclr_tf.data.subset import Subset, shuffled_places

HELD_OUT = "held out"  # the name of a split that `load_train_and_test` made
_HELD_OUT_SHARE = 0.2
_NAMED_AT_MOST = 5


class PretrainingData(NamedTuple):
    """What a pretraining learns from, and what it is measured on.

    Attributes:
      train: the images to learn from.
      bank: labelled images that vote in kNN while training, or None where kNN
        cannot be measured.
      queries: labelled images to classify by the bank, or None with it.
      note: lines for a person on classes, on images held out, or on why kNN is not
        measured; "" where there is nothing to say.
    """

    train: Source
    bank: Source | None
    queries: Source | None
    note: str


def load_for_pretraining(
    dataset: str | Source,
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
      dataset: see `load`; or a source, which has no test split.
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

    def load_split(spec: str | Source, split: str) -> Source:
        if isinstance(spec, Source):
            return _handed_over(spec, split)
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
        train, queries = (whole, test) if test else _hold_out(whole)
    except MissingSplit as error:
        note = _lines(whole.class_note, f"{error} kNN is not measured.")
        return PretrainingData(whole, None, None, note)
    is_held_out = queries.split == HELD_OUT
    counts = f"{len(queries):,} of {len(whole):,}"
    bank, queries = labelled_part(train), labelled_part(queries)
    notes = [whole.class_note, "" if is_held_out else queries.class_note]
    if not len(bank) or not len(queries):
        notes.append("No test image is labelled: kNN is not measured.")
        return PretrainingData(whole, None, None, _lines(*notes))
    if len(bank) < len(train):
        notes.append(
            f"{len(bank):,} of {len(train):,} images have labels: the figures are of "
            "those alone."
        )
    if is_held_out and pretrain_on_all:
        train = whole
        notes.append(
            f"Learning from all images, also from the {counts} held out to measure on: "
            "the figures will be better than on new images."
        )
    elif is_held_out:
        notes.append(
            f"A part of the images, {counts}, is held out to measure on and is not "
            "learned from; --pretrain_on_all learns from all."
        )
    return PretrainingData(train, bank, queries, _lines(*notes))


def _handed_over(source: Source, split: str) -> Source:
    """A source that was not loaded here, which is of training images alone."""
    if split != "train":
        raise MissingSplit(f"{source} was handed over without test images.")
    return source


def labelled_part(source: Source) -> Source:
    """The images of a source that have labels; the source itself where all have.

    Where labels are only found by reading the images, it is the source too.
    """
    labels = source.labels()
    if labels is None or labels.min(initial=0) >= 0:
        return source
    return Subset(source, np.flatnonzero(labels >= 0), source.split)


def _lines(*notes: str) -> str:
    return "\n".join(filter(None, notes))


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
      Both sources; a test label means what it means in training, and is -1 for classes
      that training lacks. Where there is no test split, a fifth of the images is held
      out, the same at each call, as the split `HELD_OUT`: of labelled images a
      fifth of each class, at least one of two or more; images labelled -1 are not
      held out. Of images that belong together (`Source.groups`), such as pages of one
      file, all are held out or none: a fifth of the files.

    Raises:
      DataError: where a dataset is not as it should be, the two have no class in
        common, or too few images are left to hold some out.
      MissingSplit: where there is no test split and no class has two images.
    """

    def load_split(spec: str, split: str) -> Source:
        return load(spec, split, image_size=image_size, labels=labels, form=form)

    train = load_split(dataset, "train")
    test = _load_test(train, dataset, test_dataset, load_split)
    return _hold_out(train) if test is None else (train, test)


def load_test(
    dataset: str,
    test_dataset: str | None = None,
    *,
    image_size: int | None = None,
    labels: bool = True,
    form: ImageForm = AS_IT_IS,
) -> Source:
    """The second of `load_train_and_test`, with the labels that it has itself.

    Training images are loaded only where the test images are held out of them.

    Args:
      dataset: see `load_train_and_test`; so are the others.
      test_dataset: see there.
      image_size: see there.
      labels: see there.
      form: see there.

    Raises:
      DataError: see there; of training images only where they are loaded.
    """

    def load_split(spec: str, split: str) -> Source:
        return load(spec, split, image_size=image_size, labels=labels, form=form)

    test = _test_split(dataset, test_dataset, load_split)
    return _hold_out(load_split(dataset, "train"))[1] if test is None else test


def load_splits(
    dataset: str, *, labels: bool = True, form: ImageForm = AS_IT_IS
) -> dict[str, Source]:
    """All images of a dataset, by the names of their splits; classes are alike.

    Args:
      dataset: see `load`.
      labels: see `load`.
      form: see `load`.

    Raises:
      DataError: see `load_train_and_test`.
    """

    def load_split(spec: str, split: str) -> Source:
        return load(spec, split, labels=labels, form=form)

    train = load_split(dataset, "train")
    test = _load_test(train, dataset, None, load_split)
    return {"train": train, **({} if test is None else {"test": test})}


def _load_test(
    train: Source,
    dataset: str | Source,
    test_dataset: str | None,
    load_split: Callable[[Any, str], Source],
) -> Source | None:
    """The images to measure on, or None where some must be held out for that."""
    test = _test_split(dataset, test_dataset, load_split)
    if test is None:
        return None
    _require_same_channels(train, test)
    return _with_classes_of(train, test)


def _test_split(
    dataset: str | Source,
    test_dataset: str | None,
    load_split: Callable[[Any, str], Source],
) -> Source | None:
    """The images to measure on, as they are; None where there are none of their own."""
    if test_dataset is None:
        try:
            return load_split(dataset, "test")
        except MissingSplit:
            return None
    try:
        return load_split(test_dataset, "test")
    except MissingSplit:
        return load_split(test_dataset, "train")


def _hold_out(source: Source) -> tuple[Source, Source]:
    """The source without the images held out, and these."""
    places = _held_out_places(source)
    kept = np.setdiff1d(np.arange(len(source)), places)
    return Subset(source, kept, source.split), Subset(source, places, HELD_OUT)


def _held_out_places(source: Source) -> np.ndarray:
    """The places of the images to hold out, in rising order; of a group all or none."""
    labels, groups = source.labels(), source.groups()
    if groups is None:
        return _fifth(source, labels, len(source), "images")
    # As if each group were an image, labelled as its first.
    numbers, firsts = np.unique(groups, return_index=True)
    labels = None if labels is None else labels[firsts]
    chosen = _fifth(source, labels, len(numbers), "files")
    return np.flatnonzero(np.isin(groups, numbers[chosen]))


def _fifth(
    source: Source, labels: np.ndarray | None, count: int, what: str
) -> np.ndarray:
    """A fifth of so many images, or groups, of each class, as their sorted places."""
    order = shuffled_places(count)
    if labels is None:
        if count < 2:
            raise DataError(f"{source} cannot be split: at least 2 {what} are needed.")
        return np.sort(order[: max(round(count * _HELD_OUT_SHARE), 1)])
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
            f"{source} has no test split, and no class has two {what}, so that one "
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


def _with_classes_of(train: Source, test: Source) -> Source:
    """The test images, labelled as the training images are.

    Classes are told apart by their names, where both have names, and otherwise by their
    labels. What training lacks cannot be recognised: it is labelled -1, and the
    source's `class_note` says so.

    Raises:
      DataError: where they have no class in common, or one alone names its classes.
    """
    if train.num_classes is None or test.num_classes is None:
        return test
    if train.class_names == test.class_names and test.num_classes <= train.num_classes:
        return test
    names, others = (
        each.class_names or list(map(str, range(each.num_classes or 0)))
        for each in (train, test)
    )
    common = set(names) & set(others)
    if (train.class_names is None) != (test.class_names is None) or not common:
        raise DataError(
            f"{train.spec} ({train.split}) and {test.spec} ({test.split}) have "
            f"different classes: {_few(names)}; and {_few(others)}."
        )
    places = {name: place for place, name in enumerate(names)}
    new_labels = np.array([places.get(name, -1) for name in others])
    made = Relabelled(test, new_labels, len(names), train.class_names)
    made.class_note = _on_classes_of_one(train, test, names, others)
    return made


def _on_classes_of_one(
    train: Source, test: Source, names: list[str], others: list[str]
) -> str:
    """What to know of classes that one of two sources lacks."""
    alone = [name for name in others if name not in set(names)]
    lacking = [name for name in names if name not in set(others)]
    notes = []
    if alone:
        labels = test.labels()
        lost = [place for place, name in enumerate(others) if name in set(alone)]
        count = "" if labels is None else f"{int(np.isin(labels, lost).sum()):,} "
        notes.append(
            f"Only {test.spec} ({test.split}) has {_few(alone)}: its {count}images are "
            "left out of the figures."
        )
    if lacking:
        notes.append(f"Only {train.spec} ({train.split}) has {_few(lacking)}.")
    return " ".join(notes)


def _few(names: list[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (
        f" and {more:,} more" if more > 0 else ""
    )
