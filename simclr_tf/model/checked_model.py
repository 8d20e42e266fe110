"""A Keras model that refuses data out of range before anything is learned from it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.replicas import explain_unequal_shares
from simclr_tf.model.checked_data import checked, explain_data
from simclr_tf.model.stated_range import explain_stated_range, to_unit_range_of


class CheckedModel(tf.keras.Model):
    """A model whose `fit`, `evaluate` and `predict` check data, see `checked`.

    Labels have to be below its attribute `num_classes`, if it has one. Errors of
    TensorFlow that the data caused are told as a UserError.

    Attributes:
      value_range: the values of black and white in the data's images, by which they are
        brought to [0, 1]; None where dtypes say them.
    """

    value_range: tuple[float, float] | None = None

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> tf.keras.callbacks.History:
        """As Keras' own.

        Raises:
          UserError: where images are not of a dtype and range that the class states,
            labels are no class numbers, or replicas are given unequal shares.
        """
        self._build_optimizer()
        self.look_at(x)
        self.look_at(validation_data)
        with self._explaining():
            return super().fit(
                self._checked(x),
                self._checked_labels(y),
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=self._checked(validation_data),
                **kwargs,
            )

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As Keras' own; UserError as `fit`."""
        # Within `fit`, Keras reads the validation data that `fit` has checked.
        if not kwargs.get("_use_cached_eval_dataset"):
            self.look_at(x)
            x, y = self._checked(x), self._checked_labels(y)
        with self._explaining():
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As Keras' own; UserError where images are out of range."""
        with self._explaining():
            return super().predict(
                checked(self._scaled(x), labels=False), *args, **kwargs
            )

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As Keras' own; UserError as `fit`."""
        self.look_at(x)
        x, y = self._checked(x), self._checked_labels(y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As Keras' own; UserError as `fit`."""
        self.look_at(x)
        x, y = self._checked(x), self._checked_labels(y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """As Keras' own; UserError where images are out of range."""
        return super().predict_on_batch(checked(self._scaled(x), labels=False))

    def _checked(self, data: Any) -> Any:
        classes = getattr(self, "num_classes", None)
        return checked(self._scaled(data), num_classes=classes)

    def _scaled(self, data: Any) -> Any:
        return to_unit_range_of(data, self.value_range)

    def _checked_labels(self, labels: Any) -> Any:
        if labels is not None:
            checked((None, labels), num_classes=getattr(self, "num_classes", None))
        return labels

    def look_at(self, data: Any) -> None:
        """What a subclass does with data before it learns from it or is evaluated."""

    def _build_optimizer(self) -> None:
        """Makes the optimizer's variables, or the first step would be traced twice."""
        optimizer: Any = getattr(self, "optimizer", None)
        if self.built and hasattr(optimizer, "build"):
            with self.distribute_strategy.scope():
                optimizer.build(self.trainable_variables)

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turns errors of TensorFlow that the data caused into a UserError."""
        try:
            yield
        except tf.errors.OpError as error:
            explain_stated_range(error, self.value_range)
            explain_data(error)
            with self.distribute_strategy.scope():
                explain_unequal_shares(error)
            raise
