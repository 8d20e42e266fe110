"""metrics.jsonl: one JSON object a line, with `step` and `epoch`.

A row within an epoch has a fraction as `epoch`, and one at its end a whole number.
"""

from __future__ import annotations

import json

from simclr_tf.training.run_files import append_text, read_text, write_text


class MetricsFile:
    """The rows of a run, which are added at the file's end.

    A row that was added stays when the process is killed; nothing forces it from the
    system's cache to the disk, as nothing does with the states that it belongs to.

    Args:
      path: of the file, local or remote.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._may_be_torn = True  # By another process, which wrote before.

    def read(self) -> list[dict]:
        """The rows, oldest first; none where there is no file.

        Lines that are no JSON object with a whole number as `step` are left out: a
        process that dies may leave half a line.
        """
        return self._read()[0]

    def keep_until(self, step: int) -> int:
        """Drops rows of later steps, which a resumed run writes again.

        Returns:
          How many lines that could not be read went with them.
        """
        kept, unreadable, whole = self._read()
        rows = [row for row in kept if row["step"] <= step]
        if unreadable or not whole or len(rows) < len(kept):
            self._write(rows)
        self._may_be_torn = False
        return unreadable

    def append(self, row: dict) -> None:
        """Adds a row."""
        if self._may_be_torn:
            self._mend_end()
        append_text(self.path, _line(row))

    def _mend_end(self) -> None:
        """Drops an unfinished last line, and ends one that lacks its end alone."""
        rows, _, whole = self._read()
        if not whole:
            self._write(rows)
        self._may_be_torn = False

    def _read(self) -> tuple[list[dict], int, bool]:
        """Rows, how many lines are none, and whether the last line is a whole one."""
        text = read_text(self.path) or ""
        lines = text.splitlines()
        rows = [row for row in map(_row, lines) if row is not None]
        return rows, len(lines) - len(rows), text.endswith("\n") or not text

    def _write(self, rows: list[dict]) -> None:
        write_text(self.path, "".join(map(_line, rows)))


def epoch_rows(rows: list[dict]) -> list[dict]:
    """The rows of epochs' ends: those of steps have a fraction as `epoch`."""
    return [row for row in rows if type(row.get("epoch")) is int]


def _line(row: dict) -> str:
    return json.dumps(row) + "\n"


def _row(line: str) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return None
    return row
