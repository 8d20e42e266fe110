"""Vision transformer.

Not keras-cv's: by its source, softmax is computed in the short type of a mixed
precision, and shapes are known only when it runs.
"""

from __future__ import annotations

import functools
import re

import tensorflow as tf

from simclr_tf.encoder.kind import Capabilities, EncoderKind, NamedEncoder
from simclr_tf.encoder.rematerialize import rematerialize as recomputed
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize, height_and_width, image_size_text

_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # width, heads
_NAME = re.compile(r"vit_(?P<size>[a-z]+)(?P<patch>[1-9]\d*)", re.ASCII)
_EPSILON = 1e-6  # of layer norm
_STDDEV = 0.02  # of new weights


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class VisionTransformer(tf.keras.Model):
    """Vision transformer (Dosovitskiy et al. 2021) without its classifier.

    Maps floating-point images `[B, H, W, C]` in [0, 1] to features `[B, width]`: the
    class token after the last block, under layer norm. Layer norm comes before
    attention and before the multilayer perceptron; positions are learned. Initial
    weights are as in DeiT (Touvron et al. 2021), and there is no dropout. The first
    images fix the size of those that follow. Softmax and layer norm are computed in
    float32 at least.

    Examples:
      >>> encoder = simclr_tf.encoder.VisionTransformer(8, width=64, depth=2, heads=2)
      >>> encoder(tf.random.uniform([2, 32, 32, 3])).shape
      TensorShape([2, 64])

    Args:
      patch_size: side of a patch in pixels; it must divide the side of the images.
      width: channels of a token, a multiple of `heads`.
      depth: blocks.
      heads: attention heads of each block.
      rematerialize: keep each block's input alone for the backward pass, and compute
        its activations again there.
      **kwargs: of `tf.keras.Model`.

    Raises:
      UserError: where an argument is out of its range; when called, where images are
        not of the size of the first ones, or not made of whole patches.
    """

    def __init__(
        self,
        patch_size: int = 16,
        *,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        rematerialize: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if min(patch_size, width, depth, heads) < 1:
            raise UserError("patch_size, width, depth and heads must be 1 or more.")
        if width % heads:
            raise UserError(f"width must be a multiple of heads, {heads}, got {width}.")
        self.patch_size = patch_size
        self.width = width
        self.depth = depth
        self.heads = heads
        self.rematerialize = rematerialize
        self.scaling = tf.keras.layers.Rescaling(2.0, -1.0, name="scaling")
        self.patches = tf.keras.layers.Conv2D(
            width,
            patch_size,
            patch_size,
            kernel_initializer=_initializer(),
            name="patches",
        )
        self.tokens = _Tokens(name="tokens")
        self.blocks = [
            _Block(width, heads, rematerialize, name=f"block_{place + 1}")
            for place in range(depth)
        ]
        self.norm = tf.keras.layers.LayerNormalization(epsilon=_EPSILON, name="norm")

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Images `[B, H, W, C]` to features `[B, width]`."""
        sides = images.shape[1:3]
        if any(side is None or side % self.patch_size for side in sides):
            raise UserError(
                f"{self.name} takes images whose sides are multiples of its patches, "
                f"{self.patch_size} px, got {sides[0]}x{sides[1]}."
            )
        patches = self.patches(self.scaling(images))
        count = patches.shape[1] * patches.shape[2]
        tokens = self.tokens(tf.reshape(patches, [-1, count, self.width]))
        for block in self.blocks:
            tokens = block(tokens, training=training)
        return self.norm(tokens[:, 0])

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return tf.TensorShape([input_shape[0], self.width])

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "name": self.name,
            "patch_size": self.patch_size,
            "width": self.width,
            "depth": self.depth,
            "heads": self.heads,
            "rematerialize": self.rematerialize,
        }

    @classmethod
    def from_config(
        cls, config: dict, custom_objects: dict | None = None
    ) -> VisionTransformer:
        return cls(**config)


class _Tokens(tf.keras.layers.Layer):
    """Patches `[B, n, width]` to tokens `[B, n + 1, width]`, the first the class's."""

    def build(self, input_shape: tf.TensorShape) -> None:
        if self.built:  # Keras would keep weights that are made again beside the first.
            return
        _, self.count, width = input_shape
        self.class_token = self.add_weight(
            "class_token", [1, 1, width], initializer=_initializer()
        )
        self.position_embedding = self.add_weight(
            "position_embedding",
            [1, self.count + 1, width],
            initializer=_initializer(),
        )
        super().build(input_shape)

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        _, count, width = patches.shape
        if count != self.count:
            raise UserError(
                f"This vision transformer has positions for {self.count} patches, and "
                f"the images have {count}: give it images of the size of the first."
            )
        batch = patches.shape[0] or tf.shape(patches)[0]
        token = tf.cast(self.class_token, patches.dtype)
        tokens = tf.concat([tf.broadcast_to(token, [batch, 1, width]), patches], axis=1)
        return tokens + tf.cast(self.position_embedding, tokens.dtype)


class _Block(tf.keras.layers.Layer):
    """Self-attention and a multilayer perceptron, each added to its input."""

    def __init__(self, width: int, heads: int, rematerialize: bool, **kwargs) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.heads = heads
        self.rematerialize = rematerialize
        self.norm_1 = tf.keras.layers.LayerNormalization(
            epsilon=_EPSILON, name="norm_1"
        )
        self.query_key_value = _dense(3 * width, name="query_key_value")
        self.projection = _dense(width, name="projection")
        self.norm_2 = tf.keras.layers.LayerNormalization(
            epsilon=_EPSILON, name="norm_2"
        )
        self.hidden = _dense(4 * width, activation=_gelu, name="hidden")
        self.output_layer = _dense(width, name="output")

    def call(self, tokens: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if self.rematerialize and training:
            return recomputed(self._added, tokens)
        return self._added(tokens)

    def _added(self, tokens: tf.Tensor) -> tf.Tensor:
        tokens += self._attend(self.norm_1(tokens))
        return tokens + self.output_layer(self.hidden(self.norm_2(tokens)))

    def _attend(self, tokens: tf.Tensor) -> tf.Tensor:
        """Tokens `[B, n, width]` to the same shape."""
        count, depth = tokens.shape[1], self.width // self.heads
        split = tf.reshape(
            self.query_key_value(tokens), [-1, count, 3, self.heads, depth]
        )
        query, key, value = tf.unstack(split, axis=2)
        scores = tf.einsum("bqhd,bkhd->bhqk", query * depth**-0.5, key)
        wide = tf.float64 if scores.dtype == tf.float64 else tf.float32
        weights = tf.cast(tf.nn.softmax(tf.cast(scores, wide)), value.dtype)
        mixed = tf.einsum("bhqk,bkhd->bqhd", weights, value)
        return self.projection(tf.reshape(mixed, [-1, count, self.width]))


def _gelu(x: tf.Tensor) -> tf.Tensor:
    # `tf.nn.gelu` rounds the root of 2 to float32, in float64 too.
    return 0.5 * x * (1.0 + tf.math.erf(x * 0.5**0.5))


def _initializer() -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.TruncatedNormal(stddev=_STDDEV)


def _dense(units: int, **settings) -> tf.keras.layers.Dense:
    return tf.keras.layers.Dense(units, kernel_initializer=_initializer(), **settings)


def _make(
    size: str,
    patch_size: int,
    image_size: ImageSize,
    *,
    channels: int,
    rematerialize: bool,
    cifar_stem: bool | None,
) -> VisionTransformer:
    del channels  # The first layer learns of them from the first images.
    del cifar_stem  # Of ResNets alone.
    if any(side % patch_size for side in height_and_width(image_size)):
        raise UserError(
            f"image_size must be a multiple of the patches' side, {patch_size} px, got "
            f"{image_size_text(image_size)}."
        )
    width, heads = _SIZES[size]
    return VisionTransformer(
        patch_size,
        width=width,
        heads=heads,
        rematerialize=rematerialize,
        name="encoder",
    )


def _read(name: str) -> NamedEncoder | None:
    match = _NAME.fullmatch(name)
    if not match or match["size"] not in _SIZES:
        return None
    patch_size = int(match["patch"])
    capabilities = Capabilities(
        takes_any_size=False,
        can_rematerialize=True,
        size_multiple=patch_size,
        no_decay=(r"\bclass_token\b", r"\bposition_embedding\b"),
    )
    return NamedEncoder(
        functools.partial(_make, match["size"], patch_size), capabilities
    )


VIT = EncoderKind(
    f"vit_ followed by one of {', '.join(_SIZES)} and the side of a patch, as in "
    "vit_tiny16",
    names=lambda: [f"vit_{size}16" for size in _SIZES],
    read=_read,
)
