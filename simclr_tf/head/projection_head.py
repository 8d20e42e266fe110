"""The projection head between representations and loss."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.encoder.sync_batch_normalization import read_earlier
from simclr_tf.errors import UserError

_EPSILON = 1e-5
_MOMENTUM = 0.9


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class ProjectionHead(tf.keras.layers.Layer):
    """Maps representations `h` to projections `z` (SimCLR, section 4.2).

    0 layers is the identity, 1 a linear head, 2 SimCLR v1, 3 SimCLR v2. As
    published, each layer is a linear map and batch norm, with a ReLU between
    layers; the last one has no offset.

    Examples:
      >>> head = simclr_tf.ProjectionHead(num_layers=2, out_dim=64)
      >>> head(tf.random.uniform([4, 512])).shape
      TensorShape([4, 64])

    Args:
      num_layers: 0 to 3.
      hidden_dim: width of the layers before the last; that of `h` by default.
      out_dim: width of `z`.
      use_batch_norm: whether batch norm follows each linear map; where it does
        not, the layers before the last have a bias instead.
      num_kept: how many of the layers there are, from the first: what fine-tuning
        keeps of a head (SimCLR v2, section 2.2); all where None.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: where an argument is out of its range.
    """

    def __init__(
        self,
        *,
        num_layers: int = 3,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        use_batch_norm: bool = True,
        num_kept: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if num_layers not in range(4):
            raise UserError(f"num_layers must be 0, 1, 2 or 3, got {num_layers}.")
        if num_kept is not None and num_kept not in range(num_layers + 1):
            raise UserError(
                f"num_kept must be 0 to num_layers, {num_layers}, got {num_kept}."
            )
        for name, width in (("hidden_dim", hidden_dim), ("out_dim", out_dim)):
            if width is not None and width < 1:
                raise UserError(f"{name} must be at least 1, got {width}.")
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.out_dim = out_dim
        self.use_batch_norm = use_batch_norm
        self.num_kept = num_layers if num_kept is None else num_kept
        self.layers: list[tf.keras.Sequential] = []

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the layers, for `h` of a shape `[B, D]`; new ones if called again."""
        width = input_shape[-1]
        self.layers = []
        for place in range(self.num_kept):
            last = place == self.num_layers - 1
            units = self.out_dim if last else self.hidden_dim or width
            # Numbered names: HDF5 takes no name twice.
            number = place + 1
            steps = [
                tf.keras.Input([width], dtype=self.compute_dtype),
                tf.keras.layers.Dense(
                    units,
                    use_bias=not (last or self.use_batch_norm),
                    kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
                    dtype=self.dtype_policy,
                    name=f"dense_{number}",
                ),
            ]
            if self.use_batch_norm:
                steps.append(
                    SyncBatchNormalization(
                        momentum=_MOMENTUM,
                        epsilon=_EPSILON,
                        center=not last,
                        dtype=self.dtype_policy,
                        name=f"batch_normalization_{number}",
                    )
                )
            if not last:
                steps.append(tf.keras.layers.ReLU(dtype=self.dtype_policy))
            self.layers.append(tf.keras.Sequential(steps, name=f"layer_{number}"))
            width = units
        super().build(input_shape)

    def load_own_variables(self, store: Any) -> None:
        """Keras' way to read a file; one of an earlier simclr_tf is read too."""
        super().load_own_variables(store)
        lists = getattr(store, "parent", {}).get("layers", {})
        for place, layer in enumerate(self.layers):
            name = f"sequential_{place}" if place else "sequential"
            if name in lists:
                read_earlier(layer.layers, lists[name]["layers"])

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """`h` `[B, D]` to `z` `[B, out_dim]`; `h` itself where there is no layer."""
        return self.layer_outputs(inputs, training=training)[-1]

    def layer_outputs(
        self, inputs: tf.Tensor, training: bool | None = None
    ) -> list[tf.Tensor]:
        """`h` and the output of each layer, first to last."""
        if not self.built:
            self(inputs)
        outputs = [tf.cast(inputs, self.compute_dtype)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1], training=training))
        return outputs

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "hidden_dim": self.hidden_dim,
            "out_dim": self.out_dim,
            "use_batch_norm": self.use_batch_norm,
            "num_kept": self.num_kept,
        }
