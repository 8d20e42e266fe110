"""Evaluators for `fit()` in user code."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.errors import UserError
from simclr_tf.evaluators.monitor import Monitor


class EvaluateEncoder(tf.keras.callbacks.Callback):
    """Adds a monitor's values to the logs of epochs; warnings go to standard output.

    Callbacks behind it in the list of `fit` see the values, TensorBoard among them.

    Examples:
      >>> images = simclr_tf.data.load("shapes:40", image_size=16)
      >>> monitor = simclr_tf.evaluators.Monitor(
      ...     simclr_tf.evaluators.make_evaluators("knn"),
      ...     bank=images,
      ...     queries=simclr_tf.data.load("shapes", "test", image_size=16),
      ...     image_size=16,
      ...     augmenter=simclr_tf.augmentation.SimCLRAugmenter(16),
      ... )
      >>> callbacks = [simclr_tf.evaluators.EvaluateEncoder(monitor, every=5)]

    Args:
      monitor: what is measured.
      every: epochs from one evaluation to the next, 1 or more.

    Raises:
      UserError: where `every` is out of its range.
    """

    def __init__(self, monitor: Monitor, *, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise UserError(f"every must be 1 or more, got {every}.")
        self.monitor = monitor
        self.every = every

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluates where it is time."""
        if (epoch + 1) % self.every:
            return
        values, warnings = self.monitor.run(self.model)
        for line in warnings:
            messages.say(line)
        if logs is not None:
            logs.update(values)
