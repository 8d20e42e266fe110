"""Images that an export is compared with its source on, and calibrated by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.cli.command import UsageError
from simclr_tf.cli.exportable import Exportable
from simclr_tf.data import (
    DataError,
    Source,
    load,
    load_test,
    load_train_and_test,
    sample,
)
from simclr_tf.image_size import longer_side
from simclr_tf.messages import say

_COMPARED = 48
_CALIBRATED = 256
_EMBEDDED = "shapes"


class Images(NamedTuple):
    """Images `[H, W, C]` of their own sizes, uint8 or floating point in [0, 1].

    Attributes:
      compared: test images; none where they were not asked for.
      calibrated: images to learn from; likewise.
      spec: the dataset that they are of.
    """

    compared: list[tf.Tensor]
    calibrated: list[tf.Tensor]
    spec: str


def load_images(
    exported: Exportable,
    dataset: str | None,
    channels: int,
    *,
    compare: bool = True,
    calibrate: bool = False,
) -> Images:
    """Some of a dataset's images, the same at each call.

    Args:
      exported: what they are for; its run's images are taken by default, and the
        embedded shapes where it has none, or they are gone.
      dataset: that is named instead; see `data.load`.
      channels: of the images that the model takes.
      compare: whether images to compare on are needed.
      calibrate: whether images to learn from are needed.

    Raises:
      DataError: where the dataset that is named cannot be read.
      UsageError: where there are no images to calibrate by.
    """
    spec = dataset or exported.dataset
    test = exported.test_dataset if dataset is None else None
    said: dict[str, Any] = {
        # Larger images are shrunk to their canvas, of which there is more than is seen.
        "image_size": 2 * longer_side(exported.image_size),
        "labels": False,
        "form": exported.form,
    }
    if spec is not None:
        try:
            if not calibrate:
                compared = _some(load_test(spec, test, **said), _COMPARED)
                return Images(compared, [], spec)
            if not compare:
                return Images([], _some(load(spec, "train", **said), _CALIBRATED), spec)
            train, tested = load_train_and_test(spec, test, **said)
            return Images(_some(tested, _COMPARED), _some(train, _CALIBRATED), spec)
        except DataError as error:
            if dataset is not None or calibrate:
                raise
            say(f"The run's images cannot be read: {error}")
    if calibrate:
        raise UsageError(
            "--quantize=int8 is calibrated on images of the kind that it will see: "
            "name them with --dataset."
        )
    shapes = _some(load(_EMBEDDED, "test", labels=False), _COMPARED)
    # As many channels as the model takes, the first ones again.
    places = np.arange(channels) % 3
    return Images([tf.gather(each, places, axis=2) for each in shapes], [], _EMBEDDED)


def _some(source: Source, count: int) -> list[tf.Tensor]:
    batch = sample(source, count)
    images = batch["image"]
    if images.dtype == tf.uint16:
        images = tf.cast(images, tf.float32) / 65535.0
    if "size" not in batch:
        return list(images)
    # Each lies in the first rows and columns of its canvas.
    sizes = tf.minimum(batch["size"], tf.shape(images)[1:3])
    return [
        image[:height, :width] for image, (height, width) in zip(images, sizes.numpy())
    ]
