"""A line of progress that keeps itself up to date."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.progress import Progress
from simclr_tf.training.finite_check import FiniteCheck, running_means
from simclr_tf.training.hooks.hook import Hook, Moment

# Those of a row's values that a person is shown, under short names.
Shown = Callable[["dict[str, float]"], "dict[str, float]"]


class Show(Hook):
    """Reads the running means every second or so, and shows them on a terminal.

    Args:
      model: a Keras model.
      progress: the line.
      batch_size: images a step.
      check: refuses means that are not finite.
      shown: chooses values and names them.
      visible: whether this worker has the terminal.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        progress: Progress,
        batch_size: int,
        check: FiniteCheck,
        shown: Shown,
        visible: bool = True,
    ) -> None:
        self._model = model
        self._progress = progress
        self._batch_size = batch_size
        self._check = check
        self._shown = shown
        self._visible = visible

    def asks(self) -> bool:
        return self._progress.due()

    def after(self, moment: Moment, asked: bool) -> None:
        if not asked:
            return
        means = running_means(self._model)
        self._check.values(means, moment.step)
        if self._visible:
            done = moment.step * self._batch_size
            self._progress.show(done, self._shown(means))
