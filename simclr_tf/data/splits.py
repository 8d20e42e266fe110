"""Training and test images of one dataset."""

from __future__ import annotations

from simclr_tf.data.load import load
from simclr_tf.data.source import DataError, MissingSplit, Source
from simclr_tf.data.subset import Subset, shuffled_places

HELD_OUT_SHARE = 0.2


def load_train_and_test(
    dataset: str,
    test_dataset: str | None = None,
    *,
    image_size: int | None = None,
    labels: bool = True,
) -> tuple[Source, Source]:
    """The images to fit an evaluation on, and those to measure it on.

    Args:
      dataset: see `load`.
      test_dataset: where the test images are, if not in `dataset`'s test split.
      image_size: see `load`.
      labels: see `load`.

    Returns:
      Both sources. Where there is no test split, a fifth of the images is held
      out, the same at each call.

    Raises:
      DataError: where a dataset is not as it should be, or the two have different
        classes.
      MissingSplit: where a stream has no test split.
    """
    settings = {"image_size": image_size, "labels": labels}
    train = load(dataset, "train", **settings)
    if test_dataset is not None:
        try:
            test = load(test_dataset, "test", **settings)
        except MissingSplit:
            test = load(test_dataset, "train", **settings)
        return _of_the_same_classes(train, test)
    try:
        return _of_the_same_classes(train, load(dataset, "test", **settings))
    except MissingSplit as error:
        if not train.random_access:
            raise MissingSplit(f"{error} Give --test_dataset.") from error
    if len(train) < 2:
        raise DataError(f"{train} cannot be split: at least 2 images are needed.")
    places = shuffled_places(len(train))
    held_out = max(round(len(train) * HELD_OUT_SHARE), 1)
    return (
        Subset(train, places[held_out:], "train"),
        Subset(train, places[:held_out], "held out"),
    )


def _of_the_same_classes(train: Source, test: Source) -> tuple[Source, Source]:
    """Both, unless a label would not mean the same in both."""
    if train.num_classes is None or test.num_classes is None:
        return train, test
    names, others = train.class_names, test.class_names
    if names == others and test.num_classes <= train.num_classes:
        return train, test
    if names is None or others is None or set(names) == set(others):
        told = f"{names or train.num_classes} and {others or test.num_classes}."
    else:
        alone = ((train, set(names) - set(others)), (test, set(others) - set(names)))
        told = "; ".join(
            f"only {source.split} has {', '.join(sorted(own))}"
            for source, own in alone
            if own
        )
    raise DataError(
        f"{train.spec} ({train.split}) and {test.spec} ({test.split}) have different "
        f"classes: {told}"
    )
