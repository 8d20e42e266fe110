"""ResNet as SimCLR uses it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.encoder.blocks import BasicBlock, BottleneckBlock
from simclr_tf.encoder.convolution import BatchNormRelu, Convolution, fixed_padding
from simclr_tf.encoder.kind import Capabilities, EncoderKind, NamedEncoder
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize, shorter_side

_GROUPS = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (BottleneckBlock, (3, 4, 6, 3)),
    101: (BottleneckBlock, (3, 4, 23, 3)),
    152: (BottleneckBlock, (3, 8, 36, 3)),
    200: (BottleneckBlock, (3, 24, 36, 3)),
}
DEPTHS = tuple(_GROUPS)
_SMALL_SIDE = 32  # pixels
_SK_RATIO = 0.0625  # SimCLR v2, section 2.
_NAME = re.compile(
    r"resnet(?P<depth>\d+)(x(?P<width>\d+(\.\d+)?))?(?P<kind>-sk|-torch)?", re.ASCII
)
# Of ImageNet's images in [0, 1], as torchvision's own weights expect.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class ResNet(tf.keras.Model):
    """Residual network, version 1.5 (He et al. 2015; SimCLR, section 2 and B.9).

    Maps floating-point images `[B, H, W, C]` in [0, 1], of any size, to features
    `[B, D]`, averaged over space: D is `512 * width_multiplier` at depth 18 and
    34, `2048 * width_multiplier` above. As published: stride on the 3x3
    convolution, a projection shortcut in every group's first block, the last
    scale of each branch zero at first, batch norm over the global batch.

    Examples:
      >>> encoder = simclr_tf.ResNet(18, width_multiplier=0.25, cifar_stem=True)
      >>> encoder(tf.random.uniform([2, 32, 32, 3])).shape
      TensorShape([2, 128])

    Args:
      depth: 18, 34, 50, 101, 152 or 200.
      width_multiplier: factor of all channel counts, > 0.
      sk_ratio: width of the selective kernels' mixing layer (SimCLR v2 uses
        0.0625), which also brings the ResNet-D stem and shortcuts; 0 for none.
      cifar_stem: a 3x3 convolution of stride 1 without pooling, for images of
        some 32 pixels, in place of the 7x7 one with pooling.
      batch_norm_momentum: of the moving statistics; the published code uses 0.9.
      blocks: residual blocks of each group, at least 1 each; by depth where None.
        Fewer groups than four are possible: D is that of the last.
      rematerialize: keep each residual block's input alone for the backward pass,
        and compute its activations again there: less memory, the same training, and
        a step of ResNet-18 took 1.39 times as long (experiments/benchmark).
      torchvision: torchvision's architecture, for weights trained there: the stem's
        pooling is padded on all sides, and the first group of depth 18 and 34 has no
        projection shortcut.
      image_mean: subtracted from the images' channels before the stem; None for 0.
      image_std: what they are then divided by, > 0; None for 1.
      **kwargs: of `tf.keras.Model`.

    Raises:
      UserError: where an argument is out of its range.
    """

    def __init__(
        self,
        depth: int,
        *,
        width_multiplier: float = 1,
        sk_ratio: float = 0.0,
        cifar_stem: bool = False,
        batch_norm_momentum: float = 0.9,
        blocks: Sequence[int] | None = None,
        rematerialize: bool = False,
        torchvision: bool = False,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if depth not in _GROUPS:
            raise UserError(f"depth must be one of {DEPTHS}, got {depth}.")
        if int(64 * width_multiplier) < 1:
            raise UserError(
                f"width_multiplier must be at least 1/64, got {width_multiplier}."
            )
        if sk_ratio < 0:
            raise UserError(f"sk_ratio must be at least 0, got {sk_ratio}.")
        if torchvision and sk_ratio > 0:
            raise UserError(
                f"torchvision has no selective kernels: sk_ratio must be 0, got "
                f"{sk_ratio}."
            )
        if image_std is not None and not all(std > 0 for std in image_std):
            raise UserError(f"image_std must be greater than 0, got {image_std}.")
        block, published = _GROUPS[depth]
        counts: tuple[int, ...] = published if blocks is None else tuple(blocks)
        if not counts or any(count < 1 for count in counts):
            raise UserError(
                f"blocks must be the blocks of each group, at least 1, got {blocks}."
            )
        self.depth = depth
        self.width_multiplier = width_multiplier
        self.sk_ratio = sk_ratio
        self.cifar_stem = cifar_stem
        self.batch_norm_momentum = batch_norm_momentum
        self.blocks = None if blocks is None else counts
        self.rematerialize = rematerialize
        self.torchvision = torchvision
        self.image_mean = None if image_mean is None else tuple(image_mean)
        self.image_std = None if image_std is None else tuple(image_std)

        self.stem = tf.keras.Sequential(self._stem_layers(), name="stem")
        self.groups = [
            tf.keras.Sequential(self._blocks(group, count), name=f"group_{group + 1}")
            for group, count in enumerate(counts)
        ]
        last = int(64 * 2 ** (len(counts) - 1) * width_multiplier)
        self.feature_dim = last * block.expansion

    def _blocks(self, group: int, count: int) -> list[tf.keras.layers.Layer]:
        """The blocks of a group, the first being 0."""
        block, _ = _GROUPS[self.depth]
        # Torchvision's first group has the channels and size of its stem's output.
        bare = self.torchvision and block.expansion == 1 and group == 0
        return [
            block(
                int(64 * 2**group * self.width_multiplier),
                strides=2 if group > 0 and place == 0 else 1,
                project=place == 0 and not bare,
                sk_ratio=self.sk_ratio,
                momentum=self.batch_norm_momentum,
                rematerialize=self.rematerialize,
                name=f"block_{place + 1}",
            )
            for place in range(count)
        ]

    def _stem_layers(self) -> list[tf.keras.layers.Layer]:
        filters = int(64 * self.width_multiplier)
        normalise = BatchNormRelu(self.batch_norm_momentum)
        if self.cifar_stem:
            return [Convolution(filters, 3), normalise]
        if self.sk_ratio > 0:
            narrow = max(filters // 2, 1)
            convolutions = [
                Convolution(narrow, 3, 2),
                BatchNormRelu(self.batch_norm_momentum),
                Convolution(narrow, 3),
                BatchNormRelu(self.batch_norm_momentum),
                Convolution(filters, 3),
            ]
        else:
            convolutions = [Convolution(filters, 7, 2)]
        if self.torchvision:
            # Zeros are below all that a ReLU lets through.
            pool = [fixed_padding(3), tf.keras.layers.MaxPooling2D(3, 2)]
        else:
            pool = [tf.keras.layers.MaxPooling2D(3, 2, padding="same")]
        return [*convolutions, normalise, *pool]

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Images `[B, H, W, C]` to features `[B, D]`."""
        if self.image_mean is not None:
            images -= tf.constant(self.image_mean, images.dtype)
        if self.image_std is not None:
            images /= tf.constant(self.image_std, images.dtype)
        features = self.stem(images, training=training)
        for group in self.groups:
            features = group(features, training=training)
        return tf.reduce_mean(features, axis=[1, 2])

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return tf.TensorShape([input_shape[0], self.feature_dim])

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "name": self.name,
            "depth": self.depth,
            "width_multiplier": self.width_multiplier,
            "sk_ratio": self.sk_ratio,
            "cifar_stem": self.cifar_stem,
            "batch_norm_momentum": self.batch_norm_momentum,
            # Not as Keras wraps it.
            "blocks": None if self.blocks is None else list(self.blocks),
            "rematerialize": self.rematerialize,
            "torchvision": self.torchvision,
            "image_mean": None if self.image_mean is None else list(self.image_mean),
            "image_std": None if self.image_std is None else list(self.image_std),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> ResNet:
        return cls(**config)


def _make(
    depth: int,
    width: float,
    kind: str | None,
    image_size: ImageSize,
    *,
    channels: int,
    rematerialize: bool,
    cifar_stem: bool | None,
) -> ResNet:
    options: dict[str, Any] = {}
    if kind == "-sk":
        options["sk_ratio"] = _SK_RATIO
    elif kind == "-torch":
        if channels != 3:
            raise UserError(
                "A -torch encoder is for RGB images, from which it takes a mean of "
                f"each colour, and these have {channels} channels: leave out -torch."
            )
        options.update(
            torchvision=True, image_mean=_IMAGENET_MEAN, image_std=_IMAGENET_STD
        )
    small = shorter_side(image_size) <= _SMALL_SIDE
    return ResNet(
        depth,
        width_multiplier=int(width) if width.is_integer() else width,
        cifar_stem=small if cifar_stem is None else cifar_stem,
        rematerialize=rematerialize,
        name="encoder",
        **options,
    )


def _read(name: str) -> NamedEncoder | None:
    match = _NAME.fullmatch(name)
    if not match or int(match["depth"]) not in DEPTHS:
        return None
    width = float(match["width"] or 1)
    return NamedEncoder(
        functools.partial(_make, int(match["depth"]), width, match["kind"]),
        Capabilities(takes_any_size=True, can_rematerialize=True),
    )


RESNET = EncoderKind(
    f"resnet followed by one of {DEPTHS}, with a width as in resnet18x0.25 and "
    "selective kernels as in resnet50-sk or for weights of PyTorch as in "
    "resnet50-torch",
    names=lambda: [f"resnet{depth}" for depth in DEPTHS],
    read=_read,
)
