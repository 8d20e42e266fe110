"""Image files in folders, however nested, and in lists."""

from __future__ import annotations

import collections
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data.candidates import split_by_content
from simclr_tf.data.file_checks import (
    Look,
    check,
    check_in_parallel,
    describe,
    look_at,
)
from simclr_tf.data.folder_source import FolderSource
from simclr_tf.data.formats import FORMATS, ValueRange
from simclr_tf.data.image_files import EXTENSIONS, canvas_size, decode
from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.level_checks import LOOKED_AT as DECODED
from simclr_tf.data.level_checks import Sample, require_levels, sample_of
from simclr_tf.data.listing import File, list_files
from simclr_tf.data.pages import is_deep, pages_of, read_page
from simclr_tf.data.regular_files import irregularity
from simclr_tf.data.source import DataError, MissingSplit
from simclr_tf.data.split_folders import Root, find_roots, is_unlabelled, like_no_class
from simclr_tf.data.subset import shuffled_places
from simclr_tf.data.verdicts import MAX_BAD_SHARE, name_faults, too_many

LOOKED_AT = 1_000  # files of which both ends are read before training
_NAMED_AT_MOST = 8
_BY_PYTHON = {each.name for each in FORMATS if each.decode is not None}
_TRIED = 3  # files of each format that Python decodes


class _Found(NamedTuple):
    """Image files of a data set, before anything of them was read.

    Attributes:
      files: in their order.
      classes: the name of each file's class, or "".
      skipped: files that were passed over, and why.
    """

    files: list[File]
    classes: list[str]
    skipped: dict[str, str]


def load_folder(
    path: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm = AS_IT_IS,
) -> FolderSource:
    """The images under a folder, or under several, however nested.

    Nothing is decoded up front: the files are listed, and of up to `LOOKED_AT` of them
    both ends are read. Files that cannot be images, pipes, devices and the like are
    passed over, counted and named; more than a tenth of them is an error. A file that
    turns out later not to decode is in `Source.unreadable`.

    Args:
      path: the folder, or several with commas between them. Its subfolders `train` and
        `test` (or `val`, `valid`, `validation`), in upper or lower case, are the
        splits; where it has none of them, it is the split "train".
      split: "train" or "test".
      image_size: side of the views the images are for, in pixels; `read` puts
        images on a square half again as wide.
      labels: whether the first folder below each names an image's class; `unlabeled`
        and `unlabelled` name none.
      form: says the values of black and white in files of more than 8 bits.

    Raises:
      DataError: where there is no such folder, no image in it, or too many that
        cannot be read; or where files of more than 8 bits are nearly black, or have
        values out of the range that is said.
    """
    return _load(path, split, image_size, labels, form, pages=False)


def load_pages(
    path: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm = AS_IT_IS,
) -> FolderSource:
    """As `load_folder`, with each page of a TIFF file an image of its own.

    Pages that are smaller forms of others, or masks, are none. Of each file the
    directories of its pages are read up front, and of a page later no more than that.
    Arguments and errors are those of `load_folder`; it needs tifffile.
    """
    return _load(path, split, image_size, labels, form, pages=True)


def _load(
    path: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm,
    *,
    pages: bool,
) -> FolderSource:
    roots = _roots(path, split)
    where = ", ".join(root.path for root in roots)
    parts = [_below(root) for root in roots]
    if len(parts) > 1:  # Two folders may hold files of one name.
        parts = [
            part._replace(files=[f._replace(name=f"{i}/{f.name}") for f in part.files])
            for i, part in enumerate(parts)
        ]
    found = _Found(
        [file for part in parts for file in part.files],
        [name for part in parts for name in part.classes],
        {file: why for part in parts for file, why in part.skipped.items()},
    )
    origin = f"the subfolders of {where}" if labels else None
    about = {"spec": f"{'pages' if pages else 'folder'}:{path}", "split": split}
    if pages:
        found = _by_pages(found, where)
    return _source(found, where, origin, image_size, form.value_range, about)


def load_list(
    path: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm = AS_IT_IS,
) -> FolderSource:
    """The images that a text file names, one a line.

    Args:
      path: the text file, in UTF-8. A line is the path of an image, relative to the
        text file, and optionally a tab and the name of its class; empty lines are
        passed over. `{split}` in the path stands for the split's name.
      split: "train" or "test"; without `{split}` the list is the split "train".
      image_size: see `load_folder`.
      labels: whether to give labels, where there are any.
      form: see `load_folder`.

    Raises:
      DataError: see `load_folder`; and where the text file cannot be read.
      MissingSplit: where there is no such split.
    """
    if split != "train" and "{split}" not in path:
        raise MissingSplit(
            f"list:{path} is one split, and no {split}; {{split}} in its name stands "
            "for train or test."
        )
    place = path.replace("{split}", split)
    try:
        with tf.io.gfile.GFile(place) as file:
            lines = [line for line in file.read().splitlines() if line.strip()]
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        complain = MissingSplit if split != "train" else DataError
        raise complain(f"{place} cannot be read as a list of images.") from error
    pairs = [line.partition("\t") for line in lines]
    files = [_listed(os.path.dirname(place), name.strip()) for name, _, _ in pairs]
    classes = [
        "" if is_unlabelled(label.strip()) else label.strip() for _, _, label in pairs
    ]
    origin = f"the second column of {place}" if labels else None
    found = _Found(files, classes, {})
    about = {"spec": f"list:{path}", "split": split}
    return _source(found, place, origin, image_size, form.value_range, about)


def _listed(folder: str, name: str) -> File:
    path = os.path.join(folder, name)
    try:
        status = tf.io.gfile.stat(path)
    except tf.errors.OpError:
        return File(path, name, -1, -1, "there is no such file")
    kind = "a folder" if status.is_directory else irregularity(path)
    if kind is not None:
        return File(path, name, -1, -1, f"it is {kind}")
    return File(path, name, status.length, status.mtime_nsec)


def _roots(path: str, split: str) -> list[Root]:
    """The folders that hold a split of one folder, or of several."""
    if "," not in path or tf.io.gfile.isdir(path):
        return find_roots(path, split)
    roots, missing = [], None
    for each in filter(None, map(str.strip, path.split(","))):
        try:
            roots += find_roots(each, split)
        except MissingSplit as error:
            missing = error
    if not roots:
        raise missing or DataError(f"folder:{path} names no folder.")
    return roots


def _below(root: Root) -> _Found:
    """The images below a folder; others are told."""
    listed = list_files(root.path)
    images, others = split_by_content(listed)
    irregular = {
        file.path: file.fault
        for file in listed
        if file.fault is not None and file.fault.startswith("it is ")
    }
    if irregular:
        messages.say(f"{root.path}: passed over {name_faults(irregular)}.", sys.stderr)
    images = [file for file in images if file.path not in irregular]
    others = [file for file in others if file.path not in irregular]
    kinds = _endings(others)
    if not images:
        raise DataError(
            f"{root.path} holds no images ({', '.join(e[1:] for e in EXTENSIONS)} and "
            f"others){'; it holds ' + kinds if kinds else ''}."
        )
    if others:
        messages.say(f"{root.path}: passed over {kinds}.", sys.stderr)
    passed = dict.fromkeys(
        [file.path for file in others], "not an image format read here"
    )
    classes = [_class(file) if root.is_labelled else "" for file in images]
    return _Found(images, classes, {**irregular, **passed})


def _by_pages(found: _Found, where: str) -> _Found:
    """The same with every page in the place of its file."""
    listed = check_in_parallel(found.files, pages_of, "files looked at")
    bad = {
        file.path: pages.fault
        for file, pages in zip(found.files, listed)
        if pages.fault is not None
    }
    for fault in bad.values():
        if "pip install" in fault:
            raise DataError(f"{where}: {fault}.")
    if len(bad) > MAX_BAD_SHARE * len(found.files):
        raise DataError(too_many(where, bad, len(found.files), "files"))
    if bad:
        messages.say(
            f"{where}: passed over {len(bad):,} of {len(found.files):,} files whose "
            f"pages cannot be told: {name_faults(bad)}.",
            sys.stderr,
        )
    stacks = [pages.files for pages in listed if len(pages.files) > 1]
    messages.say(
        f"{where}: {sum(map(len, stacks)):,} pages of {len(stacks):,} TIFF files are "
        "images of their own.",
        sys.stderr,
    )
    return _Found(
        [page for pages in listed for page in pages.files],
        [name for name, pages in zip(found.classes, listed) for _ in pages.files],
        {**found.skipped, **bad},
    )


def _endings(files: Sequence[File]) -> str:
    """ "3 .webp, 1 .txt", most frequent first."""
    kinds = collections.Counter(
        os.path.splitext(file.path)[1].lower() or "without extension" for file in files
    )
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())


def _class(file: File) -> str:
    """The first folder below the root that a file lies in, or "" for no class."""
    first, _, rest = file.name.partition(os.sep)
    return first if rest and not is_unlabelled(first) else ""


def _source(
    found: _Found,
    where: str,
    origin: str | None,
    image_size: int | None,
    value_range: ValueRange | None,
    about: Mapping[str, str],
) -> FolderSource:
    """The source, once a sample of the files was looked at.

    Args:
      found: the files.
      where: they lie, for messages.
      origin: of the classes' names, in words; None where labels are not wanted.
      image_size: see `load_folder`.
      value_range: see `Source`.
      about: the spec and the split, see `Source`.
    """
    if not found.files:
        raise DataError(f"{where} names no image.")
    bad = _look(found.files, where, value_range)
    kept = [
        (file, name)
        for file, name in zip(found.files, found.classes)
        if file.title not in bad
    ]
    files = [file for file, _ in kept]
    names = sorted({name for _, name in kept} - {""})
    if origin is None or len(names) < 2:
        names = []
    places = {name: place for place, name in enumerate(names)}
    source = FolderSource(
        files,
        [places.get(name, -1) for _, name in kept] if names else None,
        canvas_size(image_size),
        value_range=value_range,
        **about,
        num_classes=len(names) or None,
        class_names=names or None,
        skipped={**found.skipped, **bad},
    )
    if names and origin is not None:
        source.class_note = _class_note(names, origin)
    return source


def _look(
    files: Sequence[File], where: str, value_range: ValueRange | None
) -> Mapping[str, str]:
    """Files of a sample that cannot be read, and why; says what was seen."""
    sample = files
    if len(files) > LOOKED_AT:
        sample = [files[place] for place in shuffled_places(len(files))[:LOOKED_AT]]
    looks: list[Look] = check_in_parallel(sample, look_at, "files looked at")
    bad = {
        file.title: look.fault
        for file, look in zip(sample, looks)
        if look.fault is not None
    }
    _require_packages(sample, looks)
    of = "images" if len(sample) == len(files) else "images looked at"
    if len(bad) > MAX_BAD_SHARE * len(sample):
        raise DataError(too_many(where, bad, len(sample), of))
    if bad:
        messages.say(
            f"{where}: passed over {len(bad):,} of {len(sample):,} {of} that cannot be "
            f"read: {name_faults(bad)}.",
            sys.stderr,
        )
    if len(sample) < len(files):
        messages.say(
            f"{where}: {len(files):,} files; of {len(sample):,} looked at, "
            f"{describe(looks)}.",
            sys.stderr,
        )
    deep = [file for file, look in zip(sample, looks) if look.is_deep]
    some = _samples(deep[:: len(deep) // DECODED + 1], value_range)
    require_levels(some, value_range, where)
    return bad


def _samples(files: Sequence[File], value_range: ValueRange | None) -> Iterator[Sample]:
    """Of files that are still there."""
    for file in files:
        with contextlib.suppress(OSError, ValueError, tf.errors.OpError):
            if file.page is None:
                contents = tf.io.read_file(file.path).numpy()
                yield sample_of(file.title, contents, value_range)
            else:
                yield _sample_of_page(file, file.page, value_range)


def _sample_of_page(file: File, page: int, value_range: ValueRange | None) -> Sample:
    def decoded() -> tf.Tensor:
        return decode(tf.constant(read_page(file.path, page, value_range)))

    return Sample(file.title, is_deep(file), decoded)


def _require_packages(files: Sequence[File], looks: Sequence[Look]) -> None:
    """Raises DataError where files need a package that is not installed."""
    tried: collections.Counter = collections.Counter()
    for file, look in zip(files, looks):
        if look.kind not in _BY_PYTHON or tried[look.kind] == _TRIED:
            continue
        tried[look.kind] += 1
        fault = check(file)
        if fault is not None and "pip install" in fault:
            raise DataError(f"{file.title} cannot be read: {fault}.")


def _class_note(names: Sequence[str], origin: str) -> str:
    """Which classes there are and where their names come from."""
    shown = ", ".join(map(messages.printable, names[:_NAMED_AT_MOST]))
    more = f" and {len(names) - _NAMED_AT_MOST:,} more"
    note = f"Classes: {shown}{more if len(names) > _NAMED_AT_MOST else ''}; {origin}."
    doubtful = like_no_class(names)
    if doubtful:
        note += (
            f" {', '.join(doubtful[:_NAMED_AT_MOST])} may say when or whence, and not "
            "what is shown: --nolabels does without classes."
        )
    return note
