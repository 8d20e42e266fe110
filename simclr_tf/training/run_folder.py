"""What a run writes, and where.

flags.txt       a flagfile that repeats the run
metrics.jsonl   one JSON object a line, with `step` and `epoch`
checkpoints/    the newest states of the training
tensorboard/    the same metrics for TensorBoard
data.json       what the images were, to notice when they change
floors.json     figures before the first step, which those of the end are compared with
result.json     final numbers, versions, seconds, images/s
lock.json       which process trains, while one does
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.model import Learner
from simclr_tf.training import run_files
from simclr_tf.training.build import build_model
from simclr_tf.training.checkpoints import newest_state, restore
from simclr_tf.training.data_record import DataRecord
from simclr_tf.training.flagfile import (
    PRETRAINING,
    SettingsKind,
    from_flagfile,
    to_flagfile,
)
from simclr_tf.training.metrics_file import MetricsFile
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_files import RunFolderError


class RunFolder:
    """Paths and files of one run.

    Examples:
      >>> simclr_tf.training.RunFolder("no/such/folder").is_run()
      False

    Args:
      path: the folder, local or any that `tf.io.gfile` reaches, such as gs://.
      kind: which command's runs it holds.
    """

    def __init__(self, path: str, kind: SettingsKind = PRETRAINING) -> None:
        self.path = path
        self.kind = kind
        self.flags = os.path.join(path, "flags.txt")
        self.metrics = os.path.join(path, "metrics.jsonl")
        self.checkpoints = os.path.join(path, "checkpoints")
        self.tensorboard = os.path.join(path, "tensorboard")
        self.data = os.path.join(path, "data.json")
        self.floors = os.path.join(path, "floors.json")
        self.result = os.path.join(path, "result.json")
        self.lock = os.path.join(path, "lock.json")

    def is_run(self) -> bool:
        """Whether a run has been started here.

        Raises:
          RunFolderError: where the folder may not be read.
        """
        if tf.io.gfile.exists(self.path) and not tf.io.gfile.isdir(self.path):
            return False  # A file.
        return run_files.read_text(self.flags) is not None

    def make(self) -> None:
        """Makes the folder where it is absent.

        Raises:
          RunFolderError: where it holds other files than a run's, or cannot be made.
        """
        self.require_usable()
        with run_files.file_errors("use", self.path):
            tf.io.gfile.makedirs(self.path)

    def require_usable(self) -> None:
        """Raises RunFolderError where the folder holds other files than a run's."""
        if not self.path:
            raise RunFolderError("--run= names no folder: say one, as in --run=runs/1.")
        if self.is_run():
            return
        with run_files.file_errors("use", self.path):
            absent = not tf.io.gfile.exists(self.path)
            names = [] if absent else tf.io.gfile.listdir(self.path)
        # A process that died at its very start leaves no more than these.
        lock = os.path.basename(self.lock)
        if [name for name in names if name != lock and not name.startswith(".")]:
            raise RunFolderError(
                f"{self.path} is not empty and holds no run. Choose another folder "
                "with --run."
            )

    def start(self, settings: Any) -> None:
        """Begins a run, or checks that the folder holds one of the same settings.

        A run that has ended may be extended: its settings are then the new ones.

        Settings that do not change the training may be others, see `Recipe`. Where
        `test_dataset` or `eval_dataset` changes which images are held out, `DataRecord`
        tells.

        Raises:
          RunFolderError: where the folder holds a run of other settings, or other
            files.
        """
        self.make()
        if self.is_run():
            before = self.settings()
            self._require_same(before, settings)
            if before.extensions == settings.extensions:
                return
        run_files.write_text(self.flags, to_flagfile(settings, self.kind))

    def _require_same(self, old: Any, recipe: Any) -> None:
        before, now = dataclasses.asdict(old), dataclasses.asdict(recipe)
        longer = recipe.extensions[: len(old.extensions)] == old.extensions
        if longer and recipe.extensions != old.extensions:
            ended = self.read_result()
            if ended is None or ended.get("epochs") != old.all_epochs:
                raise RunFolderError(
                    f"{self.path} holds a run that has not ended: extend_epochs adds "
                    "epochs to one that has. Let it end first, or choose another "
                    "folder with --run."
                )
            before["extend_epochs"] = now["extend_epochs"]
        changed = [
            f"{name} was {before[name]} and is {now[name]}"
            for name in now
            if before[name] != now[name] and name not in self.kind.may_change
        ]
        if changed:
            raise RunFolderError(
                f"{self.path} holds a run with other settings: {'; '.join(changed)}. "
                "Repeat its settings to resume it, or choose another folder with "
                "--run."
            )

    def recipe(self) -> ResolvedRecipe:
        """The settings of a run of pretrain, see `settings`."""
        return self.settings()

    def settings(self) -> Any:
        """The settings of the run, of its kind's `resolved`.

        Raises:
          RunFolderError: where there is no run, it is another command's, or its flags
            cannot be read.
        """
        text = run_files.read_text(self.flags)
        if text is None:
            raise RunFolderError(
                f"{self.path} holds no run: {self.flags} does not exist. "
                f'"simclr {self.kind.command} --run=FOLDER" makes one.'
            )
        return from_flagfile(text, self.flags, self.kind)

    def load_model(
        self,
        say: Callable[[str], None] = messages.say,
        *,
        precision: str | None = None,
    ) -> Learner:
        """The run's model with its newest weights, without the probe.

        Args:
          say: called with a line where the newest state is damaged and an older one
            is taken.
          precision: what it computes in, of those of a recipe; None for what the run
            trained in.

        Raises:
          RunFolderError: where there is no run, or no state that can be read.
        """
        recipe = self.recipe()
        if precision is not None:
            recipe = dataclasses.replace(recipe, precision=precision)
        newest = self.require_state(say)
        model = build_model(recipe)
        restore(tf.train.Checkpoint(model=model), self.checkpoints, newest)
        return model

    def require_state(self, say: Callable[[str], None] = messages.say) -> int:
        """The steps done in the newest state that can be read.

        Args:
          say: called with a line on newer states that are damaged.

        Raises:
          RunFolderError: where no state was saved, or none can be read.
        """
        newest = newest_state(self.checkpoints, say)
        if newest is None:
            raise RunFolderError(
                f"{self.path} has no checkpoint yet: let it train an epoch first."
            )
        return newest

    def told_where_unfinished(self, say: Callable[[str], None]) -> None:
        """Says of a run that has not ended that it has not."""
        if not tf.io.gfile.exists(self.result):
            say(
                f"{self.path} has not ended: its newest state is taken, after step "
                f"{self.require_state(say):,}."
            )

    def append_metrics(self, row: dict[str, float]) -> None:
        """Adds a line to metrics.jsonl."""
        MetricsFile(self.metrics).append(row)

    def read_metrics(self) -> list[dict]:
        """The rows of metrics.jsonl, oldest first; damaged lines are left out."""
        return MetricsFile(self.metrics).read()

    def keep_metrics_until(self, step: int) -> None:
        """Drops lines of later steps, which a resumed run will write again."""
        MetricsFile(self.metrics).keep_until(step)

    def read_data(self) -> DataRecord | None:
        """The record of the images that the run uses; None where there is no record.

        Raises:
          RunFolderError: where data.json is damaged.
        """
        values = run_files.read_json(self.data)
        try:
            return None if values is None else DataRecord.from_dict(values)
        except (KeyError, TypeError):
            raise RunFolderError(
                f"{self.data} is damaged. Restore it from a copy, or delete it."
            ) from None

    def write_data(self, record: DataRecord) -> None:
        """Writes data.json."""
        run_files.write_json(self.data, record.to_dict())

    def read_result(self) -> dict | None:
        """The contents of result.json; None where the run has not ended.

        Raises:
          RunFolderError: where the file is damaged.
        """
        return run_files.read_json(self.result)

    def converted_from(self) -> str | None:
        """Where the weights of a run come from that `convert` wrote; None of others.

        A damaged result.json is no such run's: a training writes it anew.
        """
        with contextlib.suppress(RunFolderError):
            return (self.read_result() or {}).get("converted_from")
        return None

    def write_result(self, result: dict) -> None:
        """Writes result.json."""
        run_files.write_json(self.result, result)
