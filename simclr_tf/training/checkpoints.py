"""The state of a training: all that a resumed run needs, in one place."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.checkpoints.files import (
    DamagedCheckpoint,
    checkpoint_steps,
    prefix_of,
    readable,
    remove_checkpoint,
    rename_checkpoint,
    require_whole,
)
from simclr_tf.training.run_files import RunFolderError, file_errors, write_text

_KEPT = 2
_UNFINISHED = "unfinished-"


def newest_state(folder: str, say: Callable[[str], None] = messages.say) -> int | None:
    """The steps done in the newest state that can be read; None where there is none.

    Args:
      folder: where checkpoints are.
      say: called with a line on newer states that are damaged.

    Raises:
      RunFolderError: where all states are damaged, or may not be read.
    """
    damaged = []
    if tf.io.gfile.exists(folder) and not tf.io.gfile.isdir(folder):
        raise RunFolderError(f"Cannot read {folder}: it is a file, not a folder.")
    with file_errors("read", folder):
        for step in reversed(checkpoint_steps(folder)):
            prefix = prefix_of(folder, step)
            try:
                require_whole(prefix)
            except DamagedCheckpoint as error:
                damaged.append(f"{prefix} is damaged ({error})")
                continue
            if damaged:
                say(
                    f"{'; '.join(damaged)}. The state before is whole: after step "
                    f"{step:,}."
                )
            return step
    if damaged:
        raise RunFolderError(
            f"No state is left to go on from: {'; '.join(damaged)}. Restore the files "
            f"from a copy, or delete {folder} to begin anew."
        )
    return None


def restore(state: tf.train.Checkpoint, folder: str, step: int) -> None:
    """Restores the state after `step` steps.

    Raises:
      RunFolderError: where the state is that of another model or optimizer.
    """
    prefix = prefix_of(folder, step)
    try:
        with file_errors("read", prefix), readable(prefix) as path:
            status = state.read(path)
            status.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError) as error:
        if isinstance(error, RunFolderError):
            raise
        raise RunFolderError(
            f"{prefix} holds the state of another model or optimizer: {error}"
        ) from error


class Checkpoints:
    """Saves and restores weights, optimizer, metrics, steps done and time spent.

    `tf.train.CheckpointManager` would take the newest state that its file names,
    damaged or not, and delete old ones by a pattern that folder names may break.

    Args:
      folder: where checkpoints are, and go.
      model: a Keras model, compiled and built.
      write_to: where they go instead. Workers save together, since some variables
        are the sum of all workers' parts, and only the chief's files are kept.
    """

    def __init__(
        self, folder: str, model: tf.keras.Model, *, write_to: str | None = None
    ) -> None:
        # Restored slots need variables to go to; those of tensorflow-addons'
        # optimizers, which have no build, are made as they are restored. Outside the
        # scope they would be one variable that every replica moves in its turn.
        self._scope = model.distribute_strategy.scope
        if hasattr(model.optimizer, "build"):
            with self._scope():
                model.optimizer.build(model.trainable_variables)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._state = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            metrics={metric.name: metric for metric in model.metrics},
            step=self._step,
            seconds=self._seconds,
        )
        self._read_from = folder
        self._folder = write_to or folder
        # Steps of the states known to be whole, oldest first.
        self._whole: list[int] = []

    @property
    def newest(self) -> int | None:
        """Steps done in the state last saved or restored; None without one."""
        return self._whole[-1] if self._whole else None

    def restore(self, step: int | None = None) -> tuple[int, float]:
        """Restores a state: steps done, seconds spent; (0, 0.0) where there is none.

        Args:
          step: of the state, as `newest_state` says; it is asked where None.

        Raises:
          RunFolderError: the state is that of another model or optimizer, or no
            state can be read.
        """
        step = newest_state(self._read_from) if step is None else step
        if step is not None:
            with self._scope():
                restore(self._state, self._read_from, step)
            earlier = (s for s in checkpoint_steps(self._read_from) if s <= step)
            self._whole = list(earlier)
        return int(self._step), float(self._seconds)

    def save(self, step: int, seconds: float) -> None:
        """Saves the state after `step` steps and `seconds` of training.

        The state is written aside and then renamed; a state of this step that was
        saved or restored before is left as it is.

        Raises:
          RunFolderError: where the files cannot be written.
        """
        if step == self.newest:
            return
        self._step.assign(step)
        self._seconds.assign(seconds)
        aside = os.path.join(self._folder, f"{_UNFINISHED}{step}")
        with file_errors("write", aside):
            tf.io.gfile.makedirs(self._folder)
            self._remove_unfinished()
            self._state.write(aside)
            rename_checkpoint(aside, prefix_of(self._folder, step))
        self._whole = [*self._whole, step][-_KEPT:]
        with file_errors("write", self._folder):
            self._note_states()
            self._remove_old()

    def _remove_unfinished(self) -> None:
        """Deletes what a process left that died while it saved."""
        for name in tf.io.gfile.listdir(self._folder):
            path = os.path.join(self._folder, name)
            if name.startswith(_UNFINISHED):
                remove = tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else None
                (remove or tf.io.gfile.remove)(path)

    def _note_states(self) -> None:
        """Writes the file by which TensorFlow's own functions find the states."""
        lines = [f'model_checkpoint_path: "ckpt-{self._whole[-1]}"']
        lines += [f'all_model_checkpoint_paths: "ckpt-{s}"' for s in self._whole]
        write_text(os.path.join(self._folder, "checkpoint"), "\n".join(lines) + "\n")

    def _remove_old(self) -> None:
        for step in checkpoint_steps(self._folder):
            if step not in self._whole:
                remove_checkpoint(prefix_of(self._folder, step))
