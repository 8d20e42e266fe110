"""Images in TFRecord files of `tf.train.Example`, as ImageNet is commonly stored."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from simclr_tf.data.formats import ValueRange
from simclr_tf.data.image_files import canvas_size
from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.level_checks import LOOKED_AT, Sample, require_levels, sample_of
from simclr_tf.data.prepared import read_manifest
from simclr_tf.data.record_file import first_record, read_record
from simclr_tf.data.record_index import RecordIndex, index_records
from simclr_tf.data.records import Parse, RecordCheck, RecordSource
from simclr_tf.data.source import DataError, MissingSplit, reason
from simclr_tf.data.tensor_records import (
    TensorCheck,
    TensorImages,
    tensor_source,
    tensors_in,
)

# The feature of the image and that of the label, in each layout that is known.
_LAYOUTS = (("image/encoded", "image/class/label"), ("image", "label"))
_SPLIT_NAMES = {"test": ("test", "val", "validation")}


def load_tfrecord(
    pattern: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm = AS_IT_IS,
) -> RecordSource:
    """The images in the TFRecord files that a glob matches.

    A record is a `tf.train.Example` with an encoded image in `image/encoded` and,
    optionally, an int64 label in `image/class/label`; or in `image` and `label`. The
    image may also be an array, as `tf.io.serialize_tensor` makes it, of one shape
    `[H, W, C]` and dtype in all records, see `tensor_records`.
    Every file is read once, without decoding images, to find its records, check them
    and collect their labels; what was found is kept until a file changes. There is
    one class more than the largest label. So ImageNet, whose labels are commonly 1 to
    1000 in TFRecords, has 1001 classes.

    Args:
      pattern: the glob, or a folder that `simclr prepare` wrote. A glob names the
        files of the split "train", unless it holds `{split}`, which stands for the
        split's name ("test" also for `val` and `validation`).
      split: "train" or "test".
      image_size: side of the views the images are for, in pixels; `read` puts
        images on a square half again as wide.
      labels: whether to give labels, where there are any.
      form: channels of arrays, and the values of black and white of these or of image
        files of more than 8 bits.

    Raises:
      DataError: where no file matches, a file is damaged or compressed, or its
        records are not as they should be.
    """
    manifest = read_manifest(pattern) if tf.io.gfile.isdir(pattern) else None
    if manifest is not None:
        _require_split(manifest, pattern, split)
    glob = os.path.join(pattern, "{split}-*.tfrecord") if manifest else pattern
    files = _match(glob, split)
    image_key, label_key = _keys(files, glob)
    if not labels:
        label_key = None
    parse = _parser(image_key, label_key)
    first = parse(tf.constant(_first_record(files, pattern)[1]))[0]
    tensors = tensors_in(first.numpy())
    if tensors is None and form.channels not in (None, 3):
        raise DataError(
            f"tfrecord:{pattern} holds image files, which are given as RGB: leave out "
            "channels, which is for arrays, stored by tf.io.serialize_tensor."
        )
    place = pattern if "://" in pattern else os.path.abspath(pattern)
    index = index_records(
        files,
        _check(image_key, label_key, tensors),
        key=f"tfrecord:{place}\n{split}\n{image_key}\n{label_key}"
        + (f"\n{tensors}" if tensors else ""),
    )
    names = None
    # Images without labels are commonly labelled -1.
    num_classes = int(index.label.max()) + 1
    if manifest is not None:
        _require_count(manifest, pattern, split, len(index.label))
        if num_classes:
            num_classes, names = manifest["num_classes"], manifest["classes"]
    about: dict[str, Any] = {
        "spec": f"tfrecord:{pattern}",
        "split": split,
        "num_classes": num_classes or None,
        "class_names": names,
    }
    if tensors is not None:
        return tensor_source(index, parse, tensors, form, **about)
    canvas = canvas_size(image_size)
    about |= {"image_shape": (canvas, canvas, 3), "value_range": form.value_range}
    some = _some_files(index, parse, form.value_range)
    require_levels(some, form.value_range, about["spec"])
    return RecordSource(index, parse, canvas, **about)


def _some_files(
    index: RecordIndex, parse: Parse, value_range: ValueRange | None
) -> Iterator[Sample]:
    """A few of the image files in records, spread over all."""
    count = min(len(index.label), LOOKED_AT)
    for place in np.linspace(0, len(index.label) - 1, count).astype(int):
        file = index.files[index.file[place]]
        ends = map(tf.constant, (index.offset[place], index.length[place]))
        contents = parse(read_record(tf.constant(file), *ends))[0].numpy()
        name = f"{file}: the image at place {place} (from 0)"
        yield sample_of(name, contents, value_range)


def _require_split(manifest: dict, folder: str, split: str) -> None:
    if split not in manifest["splits"]:
        raise MissingSplit(
            f"tfrecord:{folder} holds {', '.join(manifest['splits'])}, and no {split}."
        )


def _require_count(manifest: dict, folder: str, split: str, count: int) -> None:
    """Raises DataError where files of a prepared data set are gone, or were added."""
    images = manifest["splits"][split]["images"]
    if count != images:
        raise DataError(
            f"tfrecord:{folder} ({split}) holds {count:,} images, and its manifest "
            f"says {images:,}: copy it again, or make it anew with simclr prepare."
        )


def _match(pattern: str, split: str) -> list[str]:
    if "{split}" in pattern:
        names = _SPLIT_NAMES.get(split, (split,))
        globs = [pattern.replace("{split}", name) for name in names]
    elif split == "train":
        globs = [pattern]
    else:
        raise MissingSplit(
            f"tfrecord:{pattern} names the files of one split, and no {split}; "
            "{split} in the glob stands for train or test."
        )
    folders: list[str] = []
    for candidate in globs:
        matches = _glob(candidate)
        folders += [match for match in matches if tf.io.gfile.isdir(match)]
        files = sorted(set(matches) - set(folders))
        if files:
            return files
    complain = DataError if split == "train" else MissingSplit
    message = f"No file matches {' or '.join(globs)}"
    if folders:
        raise complain(f"{message}, only folders do: try {folders[0]}/*.")
    raise complain(f"{message}.")


def _glob(pattern: str) -> list[str]:
    try:
        return tf.io.gfile.glob(pattern)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{pattern} matches the name {error.object!r}, which is not UTF-8: rename "
            "it."
        ) from error
    except tf.errors.OpError as error:
        raise DataError(f"{pattern} cannot be looked up: {reason(error)}") from error


def _first_record(files: Sequence[str], pattern: str) -> tuple[str, bytes]:
    """The first file that holds records, and its first record."""
    for file in files:
        record = first_record(file)
        if record is not None:
            return file, record
    raise DataError(f"The files that match {pattern} hold no records.")


def _keys(files: Sequence[str], pattern: str) -> tuple[str, str | None]:
    """The features that hold image and label, judged by the first record."""
    file, record = _first_record(files, pattern)
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise DataError(
            f"{file} cannot be read as TFRecords of tf.train.Example: record 0 "
            f"(from 0): {reason(error)}"
        ) from error
    kinds = {key: value.WhichOneof("kind") for key, value in features.items()}
    layouts = [keys for keys in _LAYOUTS if kinds.get(keys[0]) == "bytes_list"]
    if not layouts:
        raise DataError(
            f"{file}: a record must hold an encoded image in image/encoded or image, "
            f"got the features {', '.join(sorted(kinds)) or 'none'}."
        )
    image_key, label_key = layouts[0]
    if kinds.get(label_key) not in (None, "int64_list"):
        raise DataError(
            f"{file}: {label_key} must be an int64_list, got {kinds[label_key]}."
        )
    return image_key, label_key if kinds.get(label_key) else None


@functools.cache
def _check(
    image_key: str, label_key: str | None, tensors: TensorImages | None
) -> RecordCheck:
    """Kept, since each one is traced by TensorFlow anew."""
    parse = _parser(image_key, label_key)
    return RecordCheck(parse) if tensors is None else TensorCheck(parse, tensors)


def _parser(image_key: str, label_key: str | None) -> Parse:
    features = {image_key: tf.io.FixedLenFeature([], tf.string)}
    if label_key is not None:
        features[label_key] = tf.io.FixedLenFeature([], tf.int64)

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, features)
        return parsed[image_key], parsed.get(label_key, tf.constant(-1, tf.int64))

    return parse
