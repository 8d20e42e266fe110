"""Images to search for, from files or from the dataset itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.data import (
    DataError,
    ImageForm,
    Source,
    Subset,
    data_errors,
    evaluation_batches,
)
from simclr_tf.data.image_files import decode
from simclr_tf.data.source import reason
from simclr_tf.image_size import ImageSize


def images_of_files(
    paths: Sequence[str], image_size: ImageSize, form: ImageForm
) -> tf.Tensor:
    """Image files as an encoder sees them, of any format that a folder may hold.

    Args:
      paths: local or remote.
      image_size: side in pixels, or height and width.
      form: of the encoder's images.

    Returns:
      Floating point in [0, 1] `[N, h, w, C]`.

    Raises:
      DataError: where one cannot be read, or the encoder's images have other channels
        than files: 1 or 3.
    """
    channels = form.channels or 3
    if channels not in (1, 3):
        raise DataError(
            f"{paths[0]}: the encoder's images have {channels} channels, and files "
            "have 1 or 3: name an image of the dataset with --query_index."
        )
    views = []
    for path in paths:
        try:
            image = decode(tf.io.read_file(path), value_range=form.value_range)
        except (tf.errors.OpError, ValueError) as error:
            raise DataError(
                f"--query={path} cannot be read as an image: {reason(error)}"
            ) from error
        if channels == 1:
            image = tf.image.rgb_to_grayscale(image)
        views.append(evaluation_view(image[None], image_size))
    return tf.concat(views, axis=0)


def images_at(source: Source, places: np.ndarray, image_size: ImageSize) -> tf.Tensor:
    """Images of a dataset by their places, as evaluation views.

    Args:
      source: the dataset.
      places: integers `[n]`.
      image_size: side in pixels, or height and width.

    Returns:
      Floating point in [0, 1] `[n, h, w, C]`.

    Raises:
      DataError: where one cannot be read.
    """
    part = Subset(source, np.asarray(places), source.split)
    batches = evaluation_batches(part, batch_size=32, image_size=image_size)
    with data_errors(source):
        return tf.concat([batch["image"] for batch in batches], axis=0)
