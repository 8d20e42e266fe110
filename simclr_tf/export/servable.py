"""What a SavedModel of an encoder holds: graphs, signatures, variables."""

from __future__ import annotations

import functools

import tensorflow as tf

from simclr_tf.augmentation import evaluation_view, to_unit_range
from simclr_tf.model import SimCLR

# Dtypes of images that the callable tells apart. TensorFlow converts Python
# numbers to the first.
_DTYPES = (tf.float32, tf.uint8, tf.float16, tf.bfloat16, tf.float64)
# Bicubic resizing overshoots [0, 1] by less than a half; pixels in 0..255 and
# standardised images go beyond.
_LOWEST, _HIGHEST = -0.5, 1.5


def servable(
    model: SimCLR, image_size: int | None
) -> tuple[tf.train.Checkpoint, dict[str, tf.types.experimental.ConcreteFunction]]:
    """The object and the signatures that `tf.saved_model.save` takes.

    Keras' objects stay out of it, only their graphs and variables go in: Keras
    would otherwise trace and save every layer's calls as well.
    """
    view = tf.function(functools.partial(_view, image_size=image_size))
    side, floatx = image_size, tf.keras.backend.floatx()
    views = tf.TensorSpec([None, side, side, 3], floatx, name="view")

    # Traced once for each mode; all that follows calls these graphs.
    represent = {
        training: tf.function(
            functools.partial(model, training=training), input_signature=[views]
        )
        for training in (False, True)
    }
    features = represent[False].get_concrete_function().structured_outputs

    @tf.function(input_signature=[tf.TensorSpec(features.shape, features.dtype)])
    def project(features: tf.Tensor) -> tf.Tensor:
        z = model.projection_head(features, training=False)
        return tf.cast(z, features.dtype)

    @tf.function
    def call(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return represent[bool(training)](view(images))

    def answer(views: tf.Tensor) -> dict[str, tf.Tensor]:
        features = represent[False](views)
        return {"features": features, "projection": project(features)}

    @tf.function
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(view(_unit_range_of_arrays(images)))

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        return view(tf.io.decode_jpeg(jpeg, channels=3)[None])

    strings = tf.TensorSpec([None], tf.string, name="bytes")

    @tf.function(input_signature=[strings])
    def serve_jpeg(bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        if image_size is None:
            # Views of different sizes make no batch.
            return tf.map_fn(
                lambda jpeg: tf.nest.map_structure(
                    lambda row: row[0], answer(decode(jpeg))
                ),
                bytes,
                fn_output_signature={
                    name: tf.TensorSpec(output.shape[1:], output.dtype)
                    for name, output in signatures[
                        "serving_default"
                    ].structured_outputs.items()
                },
            )
        one = tf.TensorSpec(views.shape[1:], views.dtype)
        return answer(
            tf.map_fn(lambda jpeg: decode(jpeg)[0], bytes, fn_output_signature=one)
        )

    for dtype in _DTYPES:
        for training in (False, True):
            call.get_concrete_function(_images(dtype), training=training)
    signatures = {
        "serving_default": serve.get_concrete_function(_images(tf.float32)),
        "serving_uint8": serve.get_concrete_function(_images(tf.uint8)),
    }
    signatures["jpeg"] = serve_jpeg.get_concrete_function()

    # Also what Keras does not count among a model's variables, such as the state
    # of a random generator.
    captured = [
        variable
        for graph in (*represent.values(), project)
        for variable in graph.get_concrete_function().variables
    ]
    encoder = model.encoder.variables
    variables = {
        id(variable): variable
        for variable in [*encoder, *model.projection_head.variables, *captured]
    }
    root = tf.train.Checkpoint(
        # A layer frozen while training elsewhere can be fine-tuned here.
        trainable_variables=[v for v in encoder if v.trainable],
        variables=list(variables.values()),
    )
    root.__call__ = call
    return root, signatures


def _images(dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec([None, None, None, 3], dtype, name="images")


def _unit_range_of_arrays(images: tf.Tensor) -> tf.Tensor:
    """Undoes TensorFlow's conversion of uint8 arrays to a signature's float32."""
    if images.dtype == tf.uint8:
        return images
    pixels = tf.reduce_max(images) > _HIGHEST
    return tf.where(pixels, images / 255.0, images)


def _view(images: tf.Tensor, image_size: int | None) -> tf.Tensor:
    """What the encoder sees of images of any dtype and size."""
    if images.dtype.is_floating:
        lowest, highest = tf.reduce_min(images), tf.reduce_max(images)
        as_stated = tf.debugging.Assert(
            (lowest >= _LOWEST) & (highest <= _HIGHEST),
            [
                "images must be uint8 in 0..255 or floating point in [0, 1] (uint8 "
                "has a signature of its own, serving_uint8); got floating point from",
                lowest,
                "to",
                highest,
            ],
        )
        with tf.control_dependencies([as_stated]):
            images = tf.identity(images)
    if image_size is None:
        return to_unit_range(images, tf.keras.backend.floatx())
    return evaluation_view(images, image_size)
