"""What a run writes, and where.

flags.txt       a flagfile that repeats the run
metrics.jsonl   one JSON object a line, with `step` and `epoch`
checkpoints/    the newest states of the training
tensorboard/    the same metrics for TensorBoard
result.json     final numbers, versions, seconds, images/s
"""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from typing import Any

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.model import SimCLR
from simclr_tf.training.build import build_model
from simclr_tf.training.recipe import Recipe, ResolvedRecipe


class RunFolderError(UserError):
    """A run folder is not what it should be; the message says what to do."""


class RunFolder:
    """Paths and files of one run.

    Args:
      path: the folder, local or any that `tf.io.gfile` reaches, such as gs://.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.flags = os.path.join(path, "flags.txt")
        self.metrics = os.path.join(path, "metrics.jsonl")
        self.checkpoints = os.path.join(path, "checkpoints")
        self.tensorboard = os.path.join(path, "tensorboard")
        self.result = os.path.join(path, "result.json")

    def is_run(self) -> bool:
        """Whether a run has been started here."""
        return tf.io.gfile.exists(self.flags)

    def start(self, recipe: ResolvedRecipe) -> None:
        """Makes the folder, or checks that it holds a run of the same recipe.

        Raises:
          RunFolderError: where the folder holds a run of another recipe, or other
            files.
        """
        if self.is_run():
            self._require_same(recipe)
            return
        if tf.io.gfile.exists(self.path) and tf.io.gfile.listdir(self.path):
            raise RunFolderError(
                f"{self.path} is not empty and holds no run. Choose another folder "
                "with --run."
            )
        tf.io.gfile.makedirs(self.path)
        with tf.io.gfile.GFile(self.flags, "w") as file:
            file.write(to_flagfile(recipe))

    def _require_same(self, recipe: ResolvedRecipe) -> None:
        before = dataclasses.asdict(self.recipe())
        now = dataclasses.asdict(recipe)
        changed = [
            f"{name} was {before[name]} and is {now[name]}"
            for name in now
            if before[name] != now[name]
        ]
        if changed:
            raise RunFolderError(
                f"{self.path} holds a run with other settings: {'; '.join(changed)}. "
                "Repeat its settings to resume it, or choose another folder with "
                "--run."
            )

    def recipe(self) -> ResolvedRecipe:
        """The recipe of the run.

        Raises:
          RunFolderError: where there is no run, or its flags cannot be read.
        """
        if not self.is_run():
            raise RunFolderError(
                f"{self.path} holds no run: {self.flags} does not exist. "
                '"simclr pretrain --run=FOLDER" makes one.'
            )
        with tf.io.gfile.GFile(self.flags) as file:
            return from_flagfile(file.read(), self.flags)

    def load_model(self) -> SimCLR:
        """The run's model with its newest weights, without the probe.

        Raises:
          RunFolderError: where there is no run, or it has no checkpoint yet.
        """
        recipe = self.recipe()
        newest = tf.train.latest_checkpoint(self.checkpoints)
        if newest is None:
            raise RunFolderError(
                f"{self.path} has no checkpoint yet: let it train an epoch first."
            )
        model = build_model(recipe)
        status = tf.train.Checkpoint(model=model).restore(newest)
        status.assert_existing_objects_matched().expect_partial()
        return model

    def append_metrics(self, row: dict[str, float]) -> None:
        """Adds a line to metrics.jsonl."""
        with tf.io.gfile.GFile(self.metrics, "a") as file:
            file.write(json.dumps(row) + "\n")

    def read_metrics(self) -> list[dict[str, float]]:
        """The lines of metrics.jsonl, oldest first; none where there is no file."""
        if not tf.io.gfile.exists(self.metrics):
            return []
        with tf.io.gfile.GFile(self.metrics) as file:
            return [json.loads(line) for line in file.read().splitlines()]

    def keep_metrics_until(self, step: int) -> None:
        """Drops lines of later steps, which a resumed run will write again."""
        rows = self.read_metrics()
        kept = [row for row in rows if row["step"] <= step]
        if len(kept) < len(rows):
            with tf.io.gfile.GFile(self.metrics, "w") as file:
                file.write("".join(json.dumps(row) + "\n" for row in kept))

    def write_result(self, result: dict) -> None:
        """Writes result.json."""
        with tf.io.gfile.GFile(self.result, "w") as file:
            file.write(json.dumps(result, indent=2) + "\n")


def to_flagfile(recipe: ResolvedRecipe) -> str:
    """A recipe as flags, one a line; settings that are None are left out."""
    lines = []
    for name, value in dataclasses.asdict(recipe).items():
        if value is None:
            continue
        value = str(value).lower() if isinstance(value, bool) else value
        lines.append(f"--{name}={value}\n")
    return "".join(lines)


def from_flagfile(text: str, path: str) -> ResolvedRecipe:
    """The recipe that `to_flagfile` wrote.

    Raises:
      RunFolderError: where a line is not a flag of a recipe, or a flag is missing;
        it names `path`.
    """
    types = typing.get_type_hints(Recipe)
    values: dict[str, Any] = {}
    for line in text.splitlines():
        name, _, value = line.strip().removeprefix("--").partition("=")
        try:
            values[name] = _parse(value, types[name])
        except (KeyError, ValueError):
            raise RunFolderError(f"{path}: cannot read the line {line!r}.") from None
    try:
        return ResolvedRecipe.of(Recipe(**values))
    except UserError as error:
        raise RunFolderError(f"{path}: {error}") from None


def _parse(value: str, annotation: Any) -> Any:
    kinds = [k for k in typing.get_args(annotation) if k is not type(None)]
    kind = kinds[0] if kinds else annotation
    return {"true": True, "false": False}[value] if kind is bool else kind(value)
