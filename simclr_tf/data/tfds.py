"""Images of a dataset that TensorFlow Datasets has prepared."""

from __future__ import annotations

import difflib
import importlib
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data.array_records import (
    ArrayRecordCheck,
    ArrayRecordSource,
    ArrayScan,
    require_array_record,
)
from simclr_tf.data.image_files import canvas_size
from simclr_tf.data.record_file import Scan
from simclr_tf.data.record_index import RecordIndex, index_records
from simclr_tf.data.records import Parse, RecordCheck, RecordSource
from simclr_tf.data.source import DataError, MissingSplit

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_SPLIT_NAMES = {"test": ("test", "validation", "val")}


class _Format(NamedTuple):
    """How the files of a dataset are looked through, checked and read."""

    scan: type[Scan]
    check: type[RecordCheck]
    source: type[RecordSource]


_FORMATS = {
    "tfrecord": _Format(Scan, RecordCheck, RecordSource),
    "array_record": _Format(ArrayScan, ArrayRecordCheck, ArrayRecordSource),
}


def load_tfds(
    name: str, split: str, image_size: int | None, labels: bool
) -> RecordSource:
    """The images of one split of a dataset of TensorFlow Datasets.

    Nothing is downloaded: the dataset must have been prepared, by `tfds build`, in
    the folder that TensorFlow Datasets looks in, `~/tensorflow_datasets` or what
    the environment variable `TFDS_DATA_DIR` says, as TFRecord files or, on a disk of
    this machine, as ArrayRecord files. Its files are read once, to find
    their records and check them; what was found is kept until a file changes.

    Args:
      name: `NAME`, `NAME/config` or either followed by `:version`.
      split: any split the dataset has; "test" also stands for `validation` and
        `val` where there is no labelled test split. A part of a split, such as
        "train[:10%]", is one too.
      image_size: side of the views the images are for, in pixels. `read` puts
        images of many sizes on a square half again as wide; images of one size keep it.
      labels: whether to give labels, where `label` is a `ClassLabel`.

    Raises:
      DataError: where TensorFlow Datasets is not installed, there is no such
        dataset, it is not prepared, or its features are not as they should be.
      MissingSplit: where it has no such split.
    """
    try:
        import tensorflow_datasets as tfds

        # Where this fails, the package is imported all the same, without it.
        importlib.import_module("tensorflow_datasets.core")
    except ImportError as error:
        raise DataError(
            f"tfds:{name} needs TensorFlow Datasets, which cannot be imported here "
            f"({_first_line(error)}): pip install 'simclr-tf[tfds]', and beside "
            "protobuf 4 'tensorflow-metadata<1.18'"
        ) from error
    builder = _builder(tfds, name)
    features = dict(builder.info.features.items())
    height, width, _ = _image_shape(tfds, features, name)
    canvas = None if height and width else canvas_size(image_size)
    label = features.get("label")
    if not labels or not isinstance(label, tfds.features.ClassLabel):
        label = None
    has_labels = label is not None
    parse = _parser(tfds, builder, has_labels)
    form = _format(builder, name)
    check = form.check(parse, None if label is None else label.num_classes)
    for candidate in _splits(builder, name, split):
        index = _index(builder, name, candidate, form.scan, check, has_labels)
        # A test split whose labels are kept secret has -1 for all of them.
        if not has_labels or index.label.max() >= 0:
            break
    else:
        if split == "test":
            raise MissingSplit(f"tfds:{name} has no {split} split with labels.")
        label = None
    return form.source(
        index,
        parse,
        canvas,
        spec=f"tfds:{name}",
        split=split,
        image_shape=(canvas or height, canvas or width, 3),
        num_classes=None if label is None else label.num_classes,
        class_names=None if label is None else label.names,
    )


def _parser(tfds, builder: tfds.core.DatasetBuilder, has_labels: bool) -> Parse:  # noqa: ANN001
    """Reads the encoded image and the label of a record, and no other feature."""
    wanted = {"image": True, **({"label": True} if has_labels else {})}
    partial = tfds.decode.PartialDecoding(
        wanted, decoders={"image": tfds.decode.SkipDecoding()}
    )
    features = partial.extract_features(builder.info.features)

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = features.deserialize_example(record, decoders=partial.decoders)
        return example["image"], tf.cast(example.get("label", -1), tf.int64)

    return parse


def _index(
    builder: tfds.core.DatasetBuilder,
    name: str,
    split: str,
    scan: type[Scan],
    check: RecordCheck,
    has_labels: bool,
) -> RecordIndex:
    """The index of the records of a split or of a part of one."""
    try:
        info = builder.info.splits[split]
        parts = list(info.file_instructions)
    except ValueError as error:  # A part of a split that there is not.
        raise DataError(f"tfds:{name}, split {split}: {_first_line(error)}") from error
    if info.num_examples < 1:
        raise DataError(f"tfds:{name}, split {split}: it holds no images")
    files = sorted({os.fspath(part.filename) for part in parts})
    index = index_records(
        files,
        check,
        key=f"tfds:{builder.data_dir}\n{split.partition('[')[0]}\n{has_labels}",
        kind=scan,
    )
    counts = np.bincount(index.file, minlength=len(files))
    firsts = dict(zip(files, np.cumsum(counts) - counts))
    for file, count in zip(files, counts):
        stated = next(p.examples_in_shard for p in parts if p.filename == file)
        if count != stated:
            raise DataError(
                f"{file} holds {count:,} records where dataset_info.json says "
                f"{stated:,}: prepare {name} again by `tfds build {name} --overwrite`."
            )
    return index.select(
        np.concatenate([firsts[p.filename] + p.skip + np.arange(p.take) for p in parts])
    )


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


def _format(builder: tfds.core.DatasetBuilder, name: str) -> _Format:
    stored = builder.info.file_format
    form = "tfrecord" if stored is None else stored.value
    # In its own folder, TensorFlow Datasets keeps the form it has.
    instead = (
        f"prepare it in another folder by `tfds build {name} --file_format=tfrecord "
        "--data_dir=FOLDER`, and set TFDS_DATA_DIR to that"
    )
    if form not in _FORMATS:
        raise DataError(
            f"tfds:{name} is stored as {form}, of which the records cannot be read one "
            f"by one: {instead}."
        )
    if form == "array_record":
        require_array_record(f"tfds:{name}", instead)
    return _FORMATS[form]


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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
