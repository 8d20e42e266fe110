"""What the files of a run folder say, as far as they can be read."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from simclr_tf.training import RunFolder
from simclr_tf.training.metrics_file import epoch_rows
from simclr_tf.training.run_files import RunFolderError, read_json, read_text

# Evaluations that other commands leave in a run folder, by the name of their file.
_EVALUATIONS = ("knn", "linear_eval", "finetune")
# What their confusion matrices, in files of their own, add to them.
_OF_CLASSES = ("confusion", "classes")
_Read = TypeVar("_Read")


@dataclasses.dataclass(frozen=True)
class RunFigures:
    """A run by its files. What is missing or damaged is empty, and in `notes`.

    Attributes:
      path: the run folder.
      name: what to call it beside other runs.
      settings: of flags.txt, by name, as text.
      flags: the text of flags.txt.
      rows: of metrics.jsonl, oldest first.
      result: of result.json; empty where the run has not ended.
      floors: of floors.json, see `evaluators.floors.Floors.to_dict`.
      data: of data.json, see `DataRecord`.
      evaluations: results of `simclr knn` and others, by the command's name.
      notes: lines for a person on what could not be read.
    """

    path: str
    name: str
    settings: Mapping[str, str]
    flags: str
    rows: list[dict[str, Any]]
    result: Mapping[str, Any]
    floors: Mapping[str, Any]
    data: Mapping[str, Any]
    evaluations: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str]

    @property
    def ended(self) -> bool:
        """Whether the run has taken all its steps."""
        return bool(self.result)

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest row of an epoch's end; of any step where there is none."""
        rows = epoch_rows(self.rows) or self.rows
        return rows[-1] if rows else self.result.get("metrics") or {}

    @property
    def measured(self) -> dict[str, Any]:
        """The newest value of every figure that was logged."""
        newest: dict[str, Any] = {}
        for row in self.rows:
            newest.update(row)
        return {**newest, **self.last}


def read_run(path: str, name: str | None = None) -> RunFigures:
    """Reads a run folder.

    Args:
      path: of the folder, local or remote.
      name: what to call it; its last part where None.

    Raises:
      RunFolderError: where the folder holds nothing of a run.
    """
    run, notes = RunFolder(path), []

    def tried(read: Callable[[], _Read]) -> _Read | None:
        try:
            return read()
        except RunFolderError as error:
            notes.append(str(error))
            return None

    def record(file: str) -> dict:
        values = tried(lambda: read_json(file))
        if values is None or isinstance(values, dict):
            return values or {}
        notes.append(f"{file} holds no JSON object, and is left out.")
        return {}

    flags = tried(lambda: read_text(run.flags)) or ""
    rows = tried(run.read_metrics) or []
    result = record(run.result)
    if not (flags or rows or result):
        raise RunFolderError(
            f"{path} holds no run: it has no flags.txt, metrics.jsonl or result.json "
            'that can be read. "simclr pretrain --run=FOLDER" makes a run.'
        )
    files = {each: os.path.join(path, f"{each}.json") for each in _EVALUATIONS}
    found = {each: record(file) for each, file in files.items()}
    for each, file in files.items():
        if found[each]:
            counts = record(f"{os.path.splitext(file)[0]}_confusion.json")
            found[each] |= {n: counts[n] for n in _OF_CLASSES if n in counts}
    floors = record(run.floors).get("floors") or result.get("floors")
    return RunFigures(
        path=path,
        name=name or os.path.basename(os.path.abspath(path)) or path,
        settings=settings_of(flags),
        flags=flags,
        rows=rows,
        result=result,
        floors=floors if isinstance(floors, dict) else {},
        data=record(run.data),
        evaluations={each: values for each, values in found.items() if values},
        notes=notes,
    )


def settings_of(flags: str) -> dict[str, str]:
    """The settings in the text of a flags file, of this version or another one."""
    found = re.findall(r"^--(?P<name>\w+)=(?P<value>.*)$", flags, re.MULTILINE)
    return dict(found)


def names_apart(paths: Sequence[str]) -> list[str]:
    """For each run folder as many last parts of its path as tell it from the others."""
    parts = [os.path.abspath(path).split(os.sep) for path in paths]

    def name(own: list[str]) -> str:
        for count in range(1, len(own)):
            last = own[-count:]
            if sum(each[-count:] == last for each in parts) == 1:
                return os.sep.join(last)
        return os.sep.join(own)

    return [name(own) or path for own, path in zip(parts, paths)]
