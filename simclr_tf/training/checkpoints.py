"""The state of a training: all that a resumed run needs, in one place."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.model import SimCLR

_KEPT = 2


class Checkpoints:
    """Saves and restores weights, optimizer, metrics, steps done and time spent.

    Args:
      folder: where checkpoints are, and go.
      model: compiled and built.
      write_to: where they go instead. Workers save together, since some variables
        are the sum of all workers' parts, and only the chief's files are kept.
    """

    def __init__(
        self, folder: str, model: SimCLR, *, write_to: str | None = None
    ) -> None:
        # Restored slots need variables to go to; those of tensorflow-addons'
        # optimizers, which have no build, are made as they are restored.
        if hasattr(model.optimizer, "build"):
            model.optimizer.build(model.trainable_variables)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        state = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            metrics={metric.name: metric for metric in model.metrics},
            step=self._step,
            seconds=self._seconds,
        )
        self._folder = folder
        self._manager = tf.train.CheckpointManager(
            state, write_to or folder, max_to_keep=_KEPT
        )

    def restore(self) -> tuple[int, float]:
        """Restores the newest state, if there is one: steps done, seconds spent.

        Raises:
          ValueError: the state is that of another model or optimizer.
        """
        newest = tf.train.latest_checkpoint(self._folder)
        if newest is not None:
            try:
                restored = self._manager.checkpoint.restore(newest)
                restored.assert_existing_objects_matched()
            except (AssertionError, ValueError) as error:
                raise ValueError(
                    f"{newest} holds the state of another model or optimizer: {error}"
                ) from error
        return int(self._step), float(self._seconds)

    def save(self, step: int, seconds: float) -> None:
        """Saves the state after `step` steps and `seconds` of training."""
        self._step.assign(step)
        self._seconds.assign(seconds)
        self._manager.save(checkpoint_number=step)
