"""Which files of a data set cannot be read, as far as is known; kept beside a run."""

from __future__ import annotations

import functools
import json
import re
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data.file_checks import check, check_in_parallel
from simclr_tf.data.listing import File
from simclr_tf.data.source import DataError, reason

MAX_BAD_SHARE = 0.1
GOOD = "good"
_NAMED_AT_MOST = 5
_SAMPLE = 200
_writing = threading.Lock()  # Several data sets of a run may share a file.


class Verdicts:
    """What is known of the files of a data set.

    Args:
      files: in the data set's order.
      spec: what the user named the data set by, for messages.
      split: which part of it, for messages and `file_name`.
      value_range: see `Source`; a file of other values cannot be read.
    """

    def __init__(
        self,
        files: Sequence[File],
        spec: str,
        split: str,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self._files = files
        self._check = functools.partial(check, value_range=value_range)
        self._spec = f"{spec} ({split})"
        name = re.sub(r"[^\w.-]", "_", split)
        self.file_name = f"images_{name}.jsonl"  # for `keep_in`
        self._bad: dict[int, str] = {}
        self._good: set[int] = set()
        self._lock = threading.Lock()
        self._failed: str | None = None
        self._kept_in: str | None = None
        self._kept = 0

    @property
    def bad(self) -> dict[str, str]:
        """Paths that cannot be read, and why."""
        return {self._files[place].title: why for place, why in self._bad.items()}

    def places(self) -> np.ndarray:
        """Places in the data set of the files that cannot be read, int64, sorted."""
        return np.array(sorted(self._bad), np.int64)

    def fault(self) -> str | None:
        """A sentence where reading cannot go on; None otherwise."""
        if self._failed is not None:
            return self._failed
        if len(self._bad) <= MAX_BAD_SHARE * len(self._files):
            return None
        return too_many(self._spec, self.bad, len(self._files))

    def fault_of_sample(self) -> str | None:
        """As `fault`, by decoding a sample of the files."""
        step = -(-len(self._files) // _SAMPLE)
        sample = self._files[::step]
        faults = check_in_parallel(sample, self._check, "files checked")
        bad = {f.title: why for f, why in zip(sample, faults) if why is not None}
        if len(bad) <= MAX_BAD_SHARE * len(sample):
            return None
        of = "images" if step == 1 else "images looked at"
        return too_many(self._spec, bad, len(sample), of)

    def found_bad(self, place: int) -> None:
        """Notes, and says, that a file did not decode when it was to be used.

        Raises:
          DataError: where it has changed since it was listed, decodes after all, or
            too many are bad.
        """
        with self._lock:
            if place in self._bad:
                return
            file = self._files[place]
            changed = changed_since(file)
            if changed is not None:
                raise DataError(changed)
            why = self._check(file)
            if why is None:
                # Another image in its place would not be there in a run that resumes.
                self._failed = (
                    f"{self._spec}: {_on_one_line(file.title)} could not be read "
                    "twice, and then it could: the disk, the network or memory failed "
                    "for a moment. Start the command again; a run goes on where it "
                    "was. Should it happen again, remove the file."
                )
                raise DataError(self._failed)
            self._bad[place] = why
            count = len(self._bad)
            if count <= _NAMED_AT_MOST:
                named = name_faults({file.title: self._bad[place]})
                told = f"cannot read {named}; another image takes its place."
                messages.say(f"{self._spec}: {told}", sys.stderr)
            fault = self.fault()
            if fault is not None:
                raise DataError(fault)
            if count - self._kept > count // 10:
                self._keep()

    def check_all(self) -> None:
        """Decodes every file that no verdict is known of.

        Raises:
          DataError: where more than a tenth cannot be read.
        """
        unknown = [
            place
            for place in range(len(self._files))
            if place not in self._bad and place not in self._good
        ]
        faults = check_in_parallel(
            [self._files[place] for place in unknown], self._check, "files checked"
        )
        for place, fault in zip(unknown, faults):
            if fault is None:
                self._good.add(place)
            else:
                self._bad[place] = fault
        fault = self.fault()
        if fault is not None:
            raise DataError(fault)
        self._keep()
        told = ""
        if self._bad:
            told = f": {name_faults(self.bad)}; other images take their places"
        messages.say(
            f"{self._spec}: all {len(self._files):,} files were decoded, and "
            f"{len(self._bad):,} of them cannot be read{told}.",
            sys.stderr,
        )

    def keep_in(self, path: str, *, write: bool = True) -> None:
        """Takes over the verdicts in a file, and keeps there what is found later.

        Verdicts of files whose size or time has changed are forgotten; those of files
        of other data sets stay in the file.

        Args:
          path: a file of JSON lines; it need not exist.
          write: whether to write it too.
        """
        known = _read(path)
        for place, file in enumerate(self._files):
            line = known.get(file.title)
            if line is None or (line["size"], line["time"]) != (file.size, file.time):
                continue
            if line["verdict"] == GOOD:
                self._good.add(place)
            else:
                self._bad[place] = line["verdict"]
        self._kept = len(self._bad)
        self._kept_in = path if write else None

    def close(self) -> None:
        """Writes what was found and says how many files cannot be read."""
        if self._bad:
            where = f"; {self._kept_in} names them all" if self._kept_in else ""
            messages.say(
                f"{self._spec}: {len(self._bad):,} of {len(self._files):,} files "
                f"cannot be read{where}.",
                sys.stderr,
            )
            self._keep()

    def _keep(self) -> None:
        if self._kept_in is None:
            return
        self._kept = len(self._bad)
        own = {**dict.fromkeys(self._good, GOOD), **self._bad}
        lines = []
        for place, verdict in sorted(own.items()):
            file = self._files[place]
            line = {"path": file.title, "size": file.size, "time": file.time}
            lines.append({**line, "verdict": verdict})
        with _writing:
            others = _read(self._kept_in)
            for file in self._files:
                others.pop(file.title, None)
            _write(self._kept_in, [*lines, *others.values()])


def changed_since(file: File) -> str | None:
    """What has become of a file since it was listed, in words, or None."""
    try:
        status = tf.io.gfile.stat(file.path)
    except tf.errors.OpError:
        return "it is gone" if not tf.io.gfile.exists(file.path) else None
    if file.size >= 0 and status.length != file.size:
        return "it has another size now"
    return None


def too_many(spec: str, bad: Mapping[str, str], count: int, of: str = "images") -> str:
    """That more than a tenth of the files cannot be read, and which."""
    return (
        f"{spec}: {len(bad):,} of {count:,} {of} cannot be read, more than "
        f"{MAX_BAD_SHARE:.0%}: {name_faults(bad)}. Repair or remove them."
    )


def name_faults(faults: Mapping[str, str]) -> str:
    """The first few files, and what is wrong with each."""
    shown = [
        f"{_on_one_line(file)} ({fault})"
        for file, fault in list(faults.items())[:_NAMED_AT_MOST]
    ]
    more = len(faults) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more" if more else "")


def _on_one_line(file: str) -> str:
    """A file's name in a message: names may hold line breaks and escape sequences."""
    return messages.printable(file).replace("\n", "\\n").replace("\t", "\\t")


def _read(path: str) -> dict[str, dict]:
    """The lines of a file by their paths; nothing where there is none."""
    try:
        with tf.io.gfile.GFile(path) as file:
            lines = [json.loads(line) for line in file.read().splitlines()]
        return {
            line["path"]: line
            for line in lines
            if {"path", "size", "time", "verdict"} <= set(line)
        }
    except (tf.errors.OpError, ValueError, TypeError, KeyError):
        return {}


def _write(path: str, lines: Sequence[Mapping]) -> None:
    """Replaces the file at once, so that no reader sees half of it."""
    unfinished = f"{path}.{uuid.uuid4().hex}.new"
    try:
        with tf.io.gfile.GFile(unfinished, "w") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
        tf.io.gfile.rename(unfinished, path, overwrite=True)
    except tf.errors.OpError as error:
        messages.say(f"{path} cannot be written: {reason(error)}.", sys.stderr)
