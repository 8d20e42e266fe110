"""Which subfolders of a data set are its splits, and which are no classes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data.listing import folders_in
from simclr_tf.data.source import DataError, MissingSplit

_SPLITS = {"train": ("train",), "test": ("test", "val", "valid", "validation")}
_UNLABELLED = ("unlabeled", "unlabelled")
_NAMED_AT_MOST = 5
# Names by which people and cameras sort pictures, which say nothing of what they show.
_NO_SUBJECT = re.compile(
    r"(19|20)\d\d([-_. ]?\d\d){0,2}([-_. ].*)?|\d\d?[-_.]\d\d?[-_.](19|20)?\d\d"
    r"|\d{3}(canon|nikon|_?pana|apple|msdcf|olymp|_fuji|gopro)|dcim|camera( roll)?"
    r"|(from|my|new|old) .*|downloads?|screenshots?|whatsapp.*|new folder.*|misc"
    r"|(img|images?|pictures?|photos?|part|batch|disk|backup)[-_ ]?\d*",
    re.IGNORECASE,
)


class Root(NamedTuple):
    """A folder whose files belong to a split.

    Attributes:
      path: where it is.
      is_labelled: whether its subfolders may be classes.
    """

    path: str
    is_labelled: bool = True


def is_unlabelled(name: str) -> bool:
    """Whether a folder's name says that what is in it has no label."""
    return name.lower() in _UNLABELLED


def like_no_class(names: Sequence[str]) -> list[str]:
    """Those names that are likely to say when or whence, and not what is shown."""
    return [name for name in names if _NO_SUBJECT.fullmatch(name)]


def find_roots(path: str, split: str) -> list[Root]:
    """The folders that hold a split.

    Args:
      path: of the data set. Its subfolders `train` and `test` (or `val`, `valid`,
        `validation`), in upper or lower case, are the splits; where it has none of
        them, it is the split "train". `unlabeled` (or `unlabelled`) beside `train`
        belongs to the split "train", without labels.
      split: "train" or "test", or the name of another subfolder.

    Raises:
      DataError: where there is no such folder, or it holds test images alone.
      MissingSplit: where there is no such split.
    """
    if not tf.io.gfile.isdir(path):
        raise DataError(f"{path} is no folder.")
    folders = folders_in(path)
    found = _of_split(folders, split)
    if found is not None:
        roots = [Root(os.path.join(path, found))]
        if split == "train":
            beside = list(filter(is_unlabelled, folders))
            roots += [Root(os.path.join(path, name), False) for name in beside]
            _say_what_is_beside(path, found, folders, beside)
        return roots
    if split != "train":
        raise MissingSplit(f"{path} has no subfolder {split}.")
    test = _of_split(folders, "test")
    if test is not None:
        raise DataError(
            f"{path} has a subfolder {test}, which holds test images, and no "
            f"subfolder train. Put the training images there; or give "
            f"folder:{os.path.join(path, test)} to use {test} itself."
        )
    return [Root(path)]


def _of_split(folders: Sequence[str], split: str) -> str | None:
    """The folder of a split: its exact name before another case of it."""
    for name in _SPLITS.get(split, (split,)):
        if name in folders:
            return name
        for folder in folders:
            if folder.lower() == name.lower():
                return folder
    return None


def _say_what_is_beside(
    path: str, train: str, folders: Sequence[str], unlabelled: Sequence[str]
) -> None:
    """Warns of classes beside "train", which is then likely to be a class too."""
    if unlabelled:
        messages.say(
            f"{path}: images in {', '.join(unlabelled)} are learned from too, without "
            "labels.",
            sys.stderr,
        )
    splits = {name for names in _SPLITS.values() for name in names}
    others = [
        name
        for name in folders
        if name.lower() not in splits and name not in unlabelled
    ]
    if others:
        more = len(others) - _NAMED_AT_MOST
        messages.say(
            f"{path}: its subfolder {train} is the split; passed over the subfolders "
            f"{', '.join(others[:_NAMED_AT_MOST])}"
            f"{f' and {more:,} more' if more > 0 else ''}.",
            sys.stderr,
        )
