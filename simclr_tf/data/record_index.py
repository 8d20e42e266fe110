"""An index of the records of many files, made once and kept."""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import messages, whole_files
from simclr_tf.cache_folder import cache_folder
from simclr_tf.data.record_file import Scan, size_and_time
from simclr_tf.data.source import reason
from simclr_tf.progress import Progress

_VERSION = 1
_READERS = 16
_DAMAGE = (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


class RecordIndex(NamedTuple):
    """Where each record is and which label it has.

    Attributes:
      files: `F` names.
      states: `F` pairs of size and time of change, when they were indexed.
      identities: `F` lines, each a file's name, size and digest of its checksums.
      file: int32 `[N]`, the number of each record's file.
      offset: int64 `[N]`, the byte at which its header begins; of ArrayRecord files,
        its number.
      length: int64 `[N]`, bytes of its data.
      label: int32 `[N]`, -1 where it has none.
    """

    files: Sequence[str]
    states: Sequence[tuple[int, int]]
    identities: Sequence[str]
    file: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    label: np.ndarray

    def select(self, places: np.ndarray) -> RecordIndex:
        """Some of the records, in the order of their places."""
        columns = (self.file, self.offset, self.length, self.label)
        return self._replace(
            **{name: column[places] for name, column in zip(self._fields[-4:], columns)}
        )


class _Indexed(NamedTuple):
    """What is kept of one file; the file is read again once size or time differ."""

    size: int
    time: int
    scan: Scan
    labels: np.ndarray


def index_records(
    files: Sequence[str],
    read_labels: Callable[[str, Scan], np.ndarray],
    *,
    key: str,
    kind: type[Scan] = Scan,
) -> RecordIndex:
    """The index of all records, in the order of the files.

    It is kept in the folder that the environment variable SIMCLR_TF_CACHE names,
    which may be remote, or else in ~/.cache/simclr_tf. Files whose size and time of
    change are the same at the next call are not read again.

    Args:
      files: the files' names.
      read_labels: given a file and what its headers say, checks every record and
        gives the labels, int32 `[N]`.
      key: tells this use of these files from others.
      kind: finds the records of a file; those of TFRecord files by default.

    Raises:
      DataError: where a file or a record is not as it should be.
    """
    kept_in = _kept_in(key)
    known = _load(kept_in, kind)
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(size_and_time, files))
        new = [
            (file, size, time)
            for file, (size, time) in zip(files, found)
            if file not in known or (known[file].size, known[file].time) != (size, time)
        ]

        def index(one: tuple[str, int, int]) -> _Indexed:
            file, size, time = one
            scanned = kind.of(file)
            return _Indexed(size, time, scanned, read_labels(file, scanned))

        progress = Progress(len(new), unit="files indexed")
        for done, (one, indexed) in enumerate(zip(new, readers.map(index, new)), 1):
            known[one[0]] = indexed
            if progress.due():
                progress.show(done)
        progress.clear()
    if new:
        _store(kept_in, known)
    return _joined({file: known[file] for file in files})


def _joined(indexed: dict[str, _Indexed]) -> RecordIndex:
    ones = list(indexed.values())
    counts = [len(one.labels) for one in ones]
    return RecordIndex(
        files=list(indexed),
        states=[(one.size, one.time) for one in ones],
        identities=[
            f"{os.path.basename(file)} {one.size} {one.scan.digest}"
            for file, one in indexed.items()
        ],
        file=np.repeat(np.arange(len(ones), dtype=np.int32), counts),
        offset=np.concatenate([one.scan.offsets for one in ones]),
        length=np.concatenate([one.scan.lengths for one in ones]),
        label=np.concatenate([one.labels for one in ones]).astype(np.int32),
    )


def _kept_in(key: str) -> str:
    name = hashlib.sha256(f"{_VERSION}\n{key}".encode("utf-8", "surrogateescape"))
    return os.path.join(cache_folder(), f"records-{name.hexdigest()}.npz")


def _load(path: str, kind: type[Scan]) -> dict[str, _Indexed]:
    """What was kept; nothing where there is none or it is damaged."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            arrays = np.load(io.BytesIO(file.read()), allow_pickle=False)
        about = json.loads(bytes(arrays["about"]))
        ends = np.cumsum([one["count"] for one in about])
        lengths = np.split(arrays["lengths"], ends)
        labels = np.split(arrays["labels"], ends)
        known = {
            one["file"]: _Indexed(
                one["size"], one["time"], kind(length, one["digest"]), label
            )
            for one, length, label in zip(about, lengths, labels)
        }
    except (*_DAMAGE, tf.errors.OpError):
        return {}
    # Lengths that do not add up to the file would be read beyond its end.
    return {
        file: one
        for file, one in known.items()
        if one.scan.fills(one.size)
        and np.all(one.scan.lengths >= 0)
        and len(one.labels) == len(one.scan.lengths)
    }


def _store(path: str, indexed: dict[str, _Indexed]) -> None:
    """Replaces the file at once, so that another process never sees half of it."""
    about = [
        {
            "file": file,
            "size": one.size,
            "time": one.time,
            "count": len(one.labels),
            "digest": one.scan.digest,
        }
        for file, one in indexed.items()
    ]
    contents = io.BytesIO()
    np.savez(
        contents,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        lengths=_concatenated(one.scan.lengths for one in indexed.values()),
        labels=_concatenated(one.labels for one in indexed.values()),
    )
    try:
        tf.io.gfile.makedirs(os.path.dirname(path))
        whole_files.replace_file(path, contents.getvalue())
    except whole_files.FILE_ERRORS as error:
        messages.say(
            f"The index of the records cannot be kept ({reason(error)}) and will be "
            "made anew at the next start; SIMCLR_TF_CACHE names another folder.",
            sys.stderr,
        )


def _concatenated(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *arrays])
