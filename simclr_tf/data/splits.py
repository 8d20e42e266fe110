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
      DataError: where a dataset is not as it should be, the two have different
        classes, or a stream has no test split.
    """
    settings = {"image_size": image_size, "labels": labels}
    train = load(dataset, "train", **settings)
    if test_dataset is not None:
        try:
            test = load(test_dataset, "test", **settings)
        except MissingSplit:
            test = load(test_dataset, "train", **settings)
        if train.class_names != test.class_names:
            raise DataError(
                f"{dataset} and {test_dataset} have different classes: "
                f"{train.class_names} and {test.class_names}."
            )
        return train, test
    try:
        return train, load(dataset, "test", **settings)
    except MissingSplit as error:
        if not train.random_access:
            raise DataError(f"{error} Give --test_dataset.") from error
    places = shuffled_places(len(train))
    held_out = max(round(len(train) * HELD_OUT_SHARE), 1)
    return (
        Subset(train, places[held_out:], "train"),
        Subset(train, places[:held_out], "held out"),
    )
