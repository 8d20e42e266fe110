"""Which of many files are images: by their names, or by their first bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow as tf

from simclr_tf.data.file_checks import check_in_parallel
from simclr_tf.data.formats import HEAD, find_format
from simclr_tf.data.image_files import EXTENSIONS
from simclr_tf.data.listing import File

_SAMPLE = 20  # files of each unknown ending that speak for the others


def split_by_content(files: Sequence[File]) -> tuple[list[File], list[File]]:
    """Those that are images, and the others, each in the order given.

    Names that end as JPEG, PNG, BMP and GIF files do are taken for images at once. Of
    each other ending some files are opened: where all of them are images, or none, that
    goes for the ending; where some are, each file is opened.
    """
    groups: dict[str, list[File]] = {}
    for file in files:
        groups.setdefault(_ending(file.name), []).append(file)
    images: set[str] = set()
    for ending, group in groups.items():
        images.update(
            file.path
            for file, is_image in zip(group, _judge(ending, group))
            if is_image
        )
    return (
        [file for file in files if file.path in images],
        [file for file in files if file.path not in images],
    )


def _judge(ending: str, group: Sequence[File]) -> Sequence[bool]:
    if ending in EXTENSIONS:
        return [True] * len(group)
    step = -(-len(group) // _SAMPLE)
    sample = [_is_image(file) for file in group[::step]]
    if all(sample) or not any(sample):
        return [sample[0]] * len(group)
    return check_in_parallel(group, _is_image, "files looked at")


def _is_image(file: File) -> bool:
    """Whether a file begins as an image does. What cannot be read is none."""
    if file.fault is not None:
        return False
    try:
        with tf.io.gfile.GFile(file.path, "rb") as opened:
            return find_format(opened.read(HEAD)) is not None
    except tf.errors.ResourceExhaustedError:
        raise  # Of too many open files each one would be left out.
    except tf.errors.OpError:
        return False


def _ending(name: str) -> str:
    """A name's ending in lower case; "" for numbers, which DICOM names end with."""
    ending = os.path.splitext(name)[1].lower()
    return "" if ending[1:].isdigit() else ending
