"""Images of a dataset that TensorFlow Datasets has prepared."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from simclr_tf.data.image_files import canvas_size, decode, to_canvas
from simclr_tf.data.source import DataError, MissingSplit, Source, shuffle

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Encoded images held to shuffle among: half a gigabyte of ImageNet's.
SHUFFLE_BUFFER = 4096
_SPLIT_NAMES = {"test": ("test", "validation", "val")}


class TFDSSource(Source):
    """Images in the order that TensorFlow Datasets reads them.

    Shuffled, they are drawn from a buffer of `SHUFFLE_BUFFER` encoded ones; the
    order is a function of the seed.

    Args:
      read: gives the records from one place to before another: dicts of `image`, an
        encoded image, and `label`, an integer, if labels are to be given.
      canvas: side of the square that images are put on, in pixels; None
        where all have the size that `image_shape` says.
      **about: of `Source`.
    """

    def __init__(
        self,
        read: Callable[[int, int], tf.data.Dataset],
        canvas: int | None,
        **about,
    ) -> None:
        super().__init__(**about)
        self._read = read
        self._canvas = canvas

    def records(
        self, shuffle_seed: int | tf.Tensor | None, part: int = 0, parts: int = 1
    ) -> tf.data.Dataset:
        """See `Source`; pairs of place and record."""
        first, end = self.bounds(part, parts)
        records = self._read(first, end).enumerate(first)
        if shuffle_seed is not None:
            records = shuffle(records, max(SHUFFLE_BUFFER // parts, 1), shuffle_seed)
        return records

    def example(
        self, index: tf.Tensor, record: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """See `Source`."""
        if self._canvas is None:
            image = tf.ensure_shape(decode(record["image"]), self.image_shape)
            example = {"image": image}
        else:
            image, size = to_canvas(record["image"], self._canvas)
            example = {"image": image, "size": size}
        example["index"] = index
        if "label" in record:
            example["label"] = tf.cast(record["label"], tf.int32)
        return example


def load_tfds(
    name: str, split: str, image_size: int | None, labels: bool
) -> TFDSSource:
    """The images of one split of a dataset of TensorFlow Datasets.

    Nothing is downloaded: the dataset must have been prepared, by `tfds build`, in
    the folder that TensorFlow Datasets looks in, `~/tensorflow_datasets` or what
    the environment variable `TFDS_DATA_DIR` says.

    Args:
      name: `NAME`, `NAME/config` or either followed by `:version`.
      split: any split the dataset has; "test" also stands for `validation` and
        `val` where there is no labelled test split. A part of a split, such as
        "train[:10%]", is one too.
      image_size: side of the views the images are for, in pixels. Images of many
        sizes are put on a square half again as wide; images of one size keep it.
      labels: whether to give labels, where `label` is a `ClassLabel`.

    Raises:
      DataError: where TensorFlow Datasets is not installed, there is no such
        dataset, it is not prepared, or its features are not as they should be.
      MissingSplit: where it has no such split.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"tfds:{name} needs TensorFlow Datasets: pip install tensorflow-datasets"
        ) from error
    builder = _builder(tfds, name)
    features = dict(builder.info.features.items())
    has_labels = labels and isinstance(features.get("label"), tfds.features.ClassLabel)
    height, width, _ = _image_shape(tfds, features, name)
    canvas = None if height and width else canvas_size(image_size)
    wanted = {"image": True, **({"label": True} if has_labels else {})}
    decoders = tfds.decode.PartialDecoding(
        wanted, decoders={"image": tfds.decode.SkipDecoding()}
    )
    for candidate in _splits(builder, name, split):
        try:
            num_examples = builder.info.splits[candidate].num_examples
            if num_examples < 1:
                raise ValueError("it holds no images")
            read = _Reader(tfds, builder, candidate, decoders)
            records = read(0, num_examples)
        except ValueError as error:  # A part of a split that there is not.
            raise DataError(
                f"tfds:{name}, split {candidate}: {_first_line(error)}"
            ) from error
        # A test split whose labels are kept secret has -1 for all of them.
        if not has_labels or _first_label(records) >= 0:
            break
    else:
        if split == "test":
            raise MissingSplit(f"tfds:{name} has no {split} split with labels.")
        has_labels = False
        read.labels = False
    return TFDSSource(
        read,
        canvas,
        spec=f"tfds:{name}",
        split=split,
        image_shape=(canvas or height, canvas or width, 3),
        num_examples=num_examples,
        num_files=1 if read.is_slice else builder.info.splits[candidate].num_shards,
        num_classes=features["label"].num_classes if has_labels else None,
        class_names=features["label"].names if has_labels else None,
    )


class _Reader:
    """Reads the records of a split from one place to before another."""

    def __init__(
        self,
        tfds,  # noqa: ANN001
        builder: tfds.core.DatasetBuilder,
        split: str,
        decoders: tfds.decode.PartialDecoding,
    ) -> None:
        self._builder = builder
        self._split = split
        self._decoders = decoders
        self._config = tfds.ReadConfig(try_autocache=False)
        self.is_slice = "[" in split  # Of which no slice can be named.
        self.labels = True

    def __call__(self, first: int, end: int) -> tf.data.Dataset:
        records = self._builder.as_dataset(
            split=self._split if self.is_slice else f"{self._split}[{first}:{end}]",
            shuffle_files=False,
            decoders=self._decoders,
            read_config=self._config,
        )
        if self.labels:
            return records
        return records.map(lambda record: {"image": record["image"]})


def _builder(tfds, name: str) -> tfds.core.DatasetBuilder:  # noqa: ANN001
    try:
        builder = tfds.builder(name)
    except tfds.core.registered.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        near = difflib.get_close_matches(
            name.partition("/")[0].partition(":")[0], known
        )
        raise DataError(
            f"TensorFlow Datasets has no dataset {name!r}."
            + (f" Did you mean {' or '.join(near)}?" if near else "")
        ) from error
    # An unknown version is an AssertionError there, an unknown config a ValueError.
    except (AssertionError, ValueError, ImportError) as error:
        raise DataError(f"tfds:{name}: {_first_line(error)}") from error
    if not builder.info.splits:
        raise DataError(
            f"tfds:{name} is not prepared: it was looked for in {builder.data_dir}. "
            f"Prepare it by `tfds build {name}`, or set TFDS_DATA_DIR to the folder "
            "that holds it."
        )
    return builder


def _image_shape(
    tfds,  # noqa: ANN001
    features: dict[str, tfds.features.FeatureConnector],
    name: str,
) -> tuple[int | None, int | None, int | None]:
    image = features.get("image")
    if type(image) is not tfds.features.Image or image.np_dtype != np.uint8:
        kinds = ", ".join(f"{key} ({type(f).__name__})" for key, f in features.items())
        raise DataError(
            f"tfds:{name} must have a feature image, an Image of uint8; it has {kinds}."
        )
    return image.shape


def _splits(builder: tfds.core.DatasetBuilder, name: str, split: str) -> list[str]:
    has = builder.info.splits
    candidates = _SPLIT_NAMES.get(split, (split,))
    found = [one for one in candidates if one.partition("[")[0] in has]
    if not found:
        raise MissingSplit(
            f"tfds:{name} has no split {split}; it has {', '.join(has)}."
        )
    return found


def _first_label(records: tf.data.Dataset) -> int:
    return next((int(record["label"]) for record in records.take(1)), -1)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
