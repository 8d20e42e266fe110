"""metrics.jsonl: one JSON object a line, with `step` and `epoch`.

A row within an epoch has a fraction as `epoch`, and one at its end a whole number.
"""

from __future__ import annotations

import json

from simclr_tf.training.run_files import read_text, write_text


class MetricsFile:
    """The rows of a run; a reader never sees an incomplete row.

    Args:
      path: of the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path

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
        return unreadable

    def append(self, row: dict) -> None:
        """Adds a row."""
        self._write([*self.read(), row])

    def _read(self) -> tuple[list[dict], int, bool]:
        """Rows, how many lines are none, and whether the last line is a whole one."""
        text = read_text(self.path) or ""
        lines = text.splitlines()
        rows = [row for row in map(_row, lines) if row is not None]
        return rows, len(lines) - len(rows), text.endswith("\n") or not text

    def _write(self, rows: list[dict]) -> None:
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))


def epoch_rows(rows: list[dict]) -> list[dict]:
    """The rows of epochs' ends: those of steps have a fraction as `epoch`."""
    return [row for row in rows if type(row.get("epoch")) is int]


def _row(line: str) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return None
    return row
