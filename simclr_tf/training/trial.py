"""Some steps taken only to see how long they take."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import tensorflow as tf

from simclr_tf.data import PretrainingData, data_errors, steps_per_epoch
from simclr_tf.evaluators.floors import measure_floors
from simclr_tf.training.build import build_augmenter, build_model, build_optimizer
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.feed import replica_batches
from simclr_tf.training.monitor import make_monitor
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.train_function import make_train_function

# Steps that empty what the input pipeline prepared while the first was compiled; where
# steps are slow it prepared less of them.
_WARM_UP = 6
_LEAST_STEPS = 2


class Trial:
    """A model of a recipe that takes real steps on real batches, and is then dropped.

    Args:
      recipe: all settings.
      data: images.
      strategy: the devices.
      seconds: that steps of one view size are measured for, beside the first ones.
      clock: seconds.
    """

    def __init__(
        self,
        recipe: ResolvedRecipe,
        data: PretrainingData,
        strategy: tf.distribute.Strategy,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recipe = recipe
        self.started = 0.0  # What the last view size took to start, without the model.
        self._data = data
        self._seconds = seconds
        self._clock = clock
        began = clock()
        with strategy.scope():
            self._model = build_model(recipe, num_classes=data.train.num_classes)
            per_epoch = steps_per_epoch(data.train, recipe.batch_size)
            self._model.compile(build_optimizer(recipe, per_epoch))
        self.built = clock() - began

    def step(self, view_size: int) -> float:
        """Seconds that a step on views of a size takes."""
        model, began = self._model, self._clock()
        model.augmenter = build_augmenter(self.recipe, view_size)
        train = make_train_function(model.learn, model.distribute_strategy)
        with data_errors(self._data.train):
            batches = replica_batches(self.recipe, self._data.train, model)

            def take(steps: int) -> None:
                values = train(batches, steps)
                float(values["loss"])  # Waits for the device.

            take(1)
            self.started = self._clock() - began
            began, warm = self._clock(), 0
            while warm < _WARM_UP and self._clock() - began < self._seconds:
                take(1)
                warm += 1
            each = (self._clock() - began) / warm
            steps = max(_LEAST_STEPS, round(self._seconds / max(each, 1e-6)))
            began = self._clock()
            take(steps)
        return (self._clock() - began) / steps

    def evaluation(self) -> tuple[float, float]:
        """Seconds of the first measurements of the encoder, and of each later one.

        A run measures before its first step as well, see `Judge`.
        """
        model = self._model
        model.augmenter = build_augmenter(self.recipe)
        with data_errors(self._data.train, self._data.bank, self._data.queries):
            monitor = make_monitor(self.recipe, self._data, model)
            began = self._clock()
            if monitor.evaluators:
                measure_floors(monitor, model, {})
            first = self._clock() - began
            began = self._clock()
            monitor.run(model)
            later = self._clock() - began
        return first + later, later

    def save(self) -> float:
        """Seconds that saving the state takes."""
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = Checkpoints(folder, self._model)
            began = self._clock()
            checkpoints.save(1, 0.0)
        return self._clock() - began
