"""An encoder in layers that Keras itself has, with the same weights.

A process without this package has no class of its layers. Each kind of them is
rebuilt here from stock ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.encoder.blocks import BasicBlock, BottleneckBlock
from simclr_tf.encoder.convolution import BatchNormRelu, Convolution
from simclr_tf.encoder.keras_applications import Rescaled
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.selective_kernel import SelectiveKernel
from simclr_tf.encoder.sync_batch_normalization import SyncBatchNormalization
from simclr_tf.encoder.vit import VisionTransformer
from simclr_tf.errors import UserError
from simclr_tf.export.stock_attention import stock_transformer
from simclr_tf.head import ClassifierHead, ProjectionHead

Rebuild = Callable[[Any, tf.Tensor], tf.Tensor]


class NotStock(UserError):
    """A layer for which stock Keras has no counterpart."""

    def __init__(self, layer: tf.keras.layers.Layer) -> None:
        kind = f"{type(layer).__module__}.{type(layer).__name__}"
        super().__init__(
            f"a .keras file holds layers of Keras alone, and {layer.name} is a {kind}: "
            "export savedmodel, tflite or onnx."
        )


def rebuild(layer: tf.keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """A layer's output, computed in inference by stock layers of its weights.

    Args:
      layer: built; of this package, of Keras, or a Keras model of such.
      inputs: Keras' symbolic tensor.

    Raises:
      NotStock: where a layer is of neither.
    """
    for kind, make in _REBUILD.items():
        if type(layer) is kind:
            return make(layer, inputs)
    # Keras 2 numbers the calls of a model within a model otherwise than Keras 3.
    if isinstance(layer, tf.keras.Sequential):
        return _sequence(layer.layers, inputs)
    if _is_functional(layer):
        return _functional(layer, inputs)
    if all(map(_is_stock, layer._flatten_layers())):
        return with_weights(_copy(layer), inputs, layer.get_weights())
    raise NotStock(layer)


def with_weights(
    layer: tf.keras.layers.Layer, inputs: tf.Tensor, weights: Sequence[Any]
) -> tf.Tensor:
    """The output of a new layer that is given weights."""
    outputs = layer(inputs)
    layer.set_weights([np.asarray(each) for each in weights])
    return outputs


def _is_stock(layer: tf.keras.layers.Layer) -> bool:
    package = type(layer).__module__.partition(".")[0]
    # What a Lambda calls is code, which no file of Keras' holds safely.
    return package in ("keras", "tf_keras") and type(layer).__name__ != "Lambda"


def _is_functional(layer: tf.keras.layers.Layer) -> bool:
    return getattr(layer, "_is_graph_network", False) and len(layer.inputs) == 1


def _sequence(layers: Sequence[Any], inputs: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        inputs = rebuild(layer, inputs)
    return inputs


def _functional(model: tf.keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    """A Functional model's layers, called as it calls them."""
    made = {str(id(model.inputs[0])): inputs}
    copies: dict[int, Any] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            # Each is taken from a list, as often as it is used.
            arguments, options = node.map_arguments(
                {
                    name: [tensor] * len(node.flat_input_ids)
                    for name, tensor in made.items()
                }
            )
            outputs = _called(node.layer, copies, arguments, options)
            made.update(zip(map(str, node.flat_output_ids), tf.nest.flatten(outputs)))
    return made[str(id(model.outputs[0]))]


def _called(
    layer: Any, copies: dict[int, Any], arguments: Sequence[Any], options: dict
) -> Any:
    """A stock counterpart's output; of a layer that is called again, the same one's."""
    if not all(map(_is_stock, layer._flatten_layers())) or hasattr(layer, "layers"):
        return rebuild(layer, *arguments)
    copy = copies.setdefault(id(layer), _copy(layer))
    outputs = copy(*arguments, **options)
    copy.set_weights(layer.get_weights())
    return outputs


def _copy(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """A new layer of the same settings, by a name that no other layer has."""
    config = dict(layer.get_config())
    if not type(layer).__name__.endswith(
        "OpLambda"
    ):  # Those are named by the operation.
        config.pop("name", None)
    return type(layer).from_config(config)


def _batch_normalization(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    stock = tf.keras.layers.BatchNormalization(
        momentum=layer.momentum,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
    )
    return with_weights(stock, inputs, layer.get_weights())


def _batch_norm_relu(layer: BatchNormRelu, inputs: tf.Tensor) -> tf.Tensor:
    inputs = _batch_normalization(layer.batch_normalization, inputs)
    return tf.keras.layers.ReLU()(inputs) if layer.relu else inputs


def _convolution(layer: Convolution, inputs: tf.Tensor) -> tf.Tensor:
    if layer.padding is not None:
        inputs = tf.keras.layers.ZeroPadding2D(layer.padding.padding)(inputs)
    return _stock_convolution(layer.convolution, inputs, layer.convolution.kernel)


def _stock_convolution(layer: Any, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
    """A convolution like a layer's, of a kernel that may be a part of its own."""
    stock = tf.keras.layers.Conv2D(
        kernel.shape[-1],
        layer.kernel_size,
        layer.strides,
        padding=layer.padding,
        use_bias=False,
    )
    return with_weights(stock, inputs, [kernel])


def _block(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    kept = inputs
    if layer.shortcut is not None:
        kept = rebuild(layer.shortcut, inputs)
    return tf.keras.layers.ReLU()(
        tf.keras.layers.Add()([rebuild(layer.branch, inputs), kept])
    )


def _selective_kernel(layer: SelectiveKernel, inputs: tf.Tensor) -> tf.Tensor:
    """Each stream by a convolution of its own: stock layers split no channels."""
    layers = tf.keras.layers
    convolution, normalise = layer.streams.layers
    if convolution.padding is not None:
        inputs = layers.ZeroPadding2D(convolution.padding.padding)(inputs)
    kernels = np.split(convolution.convolution.kernel.numpy(), 2, axis=-1)
    moments = [np.split(each, 2) for each in normalise.get_weights()]
    streams = []
    for place, kernel in enumerate(kernels):
        stream = _stock_convolution(convolution.convolution, inputs, kernel)
        stock = layers.BatchNormalization(
            momentum=normalise.batch_normalization.momentum,
            epsilon=normalise.batch_normalization.epsilon,
        )
        stream = with_weights(stock, stream, [each[place] for each in moments])
        streams.append(layers.ReLU()(stream))
    mean = layers.GlobalAveragePooling2D(keepdims=True)(layers.Add()(streams))
    squeeze, normalise, excite = layer.mixing.layers
    mixed = rebuild(normalise, rebuild(squeeze, mean))
    scores = [
        _stock_convolution(excite.convolution, mixed, kernel)
        for kernel in np.split(excite.convolution.kernel.numpy(), 2, axis=-1)
    ]
    # A softmax over two is a sigmoid of their difference.
    weighted = [
        layers.Multiply()(
            [stream, layers.Activation("sigmoid")(layers.Subtract()([own, other]))]
        )
        for stream, own, other in zip(streams, scores, scores[::-1])
    ]
    return layers.Add()(weighted)


def _resnet(encoder: ResNet, images: tf.Tensor) -> tf.Tensor:
    channels = images.shape[-1]
    if encoder.image_mean is not None or encoder.image_std is not None:
        mean = np.broadcast_to(np.asarray(encoder.image_mean or 0.0), [channels])
        std = np.broadcast_to(np.asarray(encoder.image_std or 1.0), [channels])
        images = tf.keras.layers.Rescaling(
            (1.0 / std).tolist(), (-mean / std).tolist()
        )(images)
    features = _sequence([encoder.stem, *encoder.groups], images)
    return tf.keras.layers.GlobalAveragePooling2D()(features)


def _rescaled(layer: Rescaled, images: tf.Tensor) -> tf.Tensor:
    """The range that a model of tf.keras.applications takes, by a 1x1 convolution.

    Whatever the model, each of its channels is a weighted sum of the image's: factors,
    means, and BGR for RGB.
    """
    channels = images.shape[-1]
    units = np.concatenate([np.zeros([1, channels]), np.eye(channels)])
    values = layer(tf.constant(units[:, None, None], tf.float32)).numpy()[:, 0, 0]
    stock = tf.keras.layers.Conv2D(channels, 1, name="scaling", trainable=False)
    kernel = (values[1:] - values[0])[None, None]
    return with_weights(stock, images, [kernel, values[0]])


def _projection_head(head: ProjectionHead, features: tf.Tensor) -> tf.Tensor:
    return _sequence(head.layers, features)


def _classifier_head(head: ClassifierHead, features: tf.Tensor) -> tf.Tensor:
    """Probabilities, where the head gives logits."""
    if head.kept is not None:
        features = _projection_head(head.kept, features)
    stock = tf.keras.layers.Dense(
        head.num_classes, activation="softmax", name="probabilities"
    )
    return with_weights(stock, features, head.classes.get_weights())


_REBUILD: dict[type, Rebuild] = {
    BasicBlock: _block,
    BatchNormRelu: _batch_norm_relu,
    BottleneckBlock: _block,
    ClassifierHead: _classifier_head,
    Convolution: _convolution,
    ProjectionHead: _projection_head,
    Rescaled: _rescaled,
    ResNet: _resnet,
    SelectiveKernel: _selective_kernel,
    SyncBatchNormalization: _batch_normalization,
    VisionTransformer: stock_transformer,
}
