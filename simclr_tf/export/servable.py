"""What a SavedModel of an encoder holds: graphs, signatures, variables."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import evaluation_view, to_unit_range
from simclr_tf.data.formats import ValueRange
from simclr_tf.data.image_files import decode_in_graph
from simclr_tf.encoder.freezing import ordered_variables
from simclr_tf.export.acceptance import (
    in_pixel_range,
    in_unit_range,
    read_files,
    require_all,
    require_any,
    require_channels,
)
from simclr_tf.image_size import ImageSize, height_and_width
from simclr_tf.model import Learner

# Dtypes of images that the callable tells apart. TensorFlow converts Python
# numbers to the first.
_DTYPES = (tf.float32, tf.uint8, tf.float16, tf.bfloat16, tf.float64)

# What an image file decodes to: grey or RGB.
CHANNELS_OF_FILES = (1, 3)

_Outputs = dict[str, tf.Tensor]


def servable(
    model: Learner,
    image_size: ImageSize | None,
    channels: int = 3,
    value_range: ValueRange | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[tf.train.Checkpoint, dict[str, tf.types.experimental.ConcreteFunction]]:
    """The object and the signatures that `tf.saved_model.save` takes.

    Keras' objects stay out of it, only their graphs and variables go in: Keras
    would otherwise trace and save every layer's calls as well.

    Args:
      model: a built model.
      image_size: side of what the encoder sees, or height and width; None for any.
      channels: of the images.
      value_range: of PNG files of 16 bits.
      classes: names, where the model's head is a classifier of these classes and it is
        probabilities that are served, and not representations.
    """
    graphs = Graphs(model, image_size, channels, value_range, classes)
    root = tf.train.Checkpoint(**_variables(model, graphs))
    root.__call__ = _callable(graphs)
    return root, _signatures(graphs)


def _of_any_number(
    represent: Callable[[tf.Tensor], tf.Tensor], views: tf.Tensor
) -> tf.Tensor:
    """Rows of any number of views, none included.

    On processors with AVX-512 TensorFlow's fused convolutions fail on an empty batch:
    a black view takes its place, and its row is left out.
    """
    sizes = tf.shape(views)
    missing = tf.cast(tf.equal(sizes[0], 0), tf.int32)
    sides = [side or sizes[1 + axis] for axis, side in enumerate(views.shape[1:])]
    black = tf.zeros([missing, *sides], views.dtype)
    return represent(tf.concat([views, black], axis=0))[: sizes[0]]


def _classify(model: Learner, views: tf.Tensor, training: bool) -> tf.Tensor:
    """Probabilities `[B, K]` in float32 at least."""
    logits = model.projection_head(model(views, training=training), training=training)
    return tf.nn.softmax(logits)


class Graphs:
    """A model's graphs, each traced once; signatures and the callable share them."""

    def __init__(
        self,
        model: Learner,
        image_size: ImageSize | None,
        channels: int,
        value_range: ValueRange | None,
        classes: Sequence[str] | None,
    ) -> None:
        floatx = tf.keras.backend.floatx()
        sides = [None, None] if image_size is None else height_and_width(image_size)
        self.image_size = image_size
        self.channels = channels
        self.value_range = value_range
        self.views = tf.TensorSpec([None, *sides, channels], floatx, name="view")
        self._view = tf.function(
            functools.partial(_view, image_size=image_size),
            input_signature=[self.images(tf.as_dtype(floatx))],
            autograph=False,
        )
        self.classes = None if classes is None else tf.constant(list(classes))
        served: Any = model
        if classes is not None:
            served = functools.partial(_classify, model)
        self.represent = {
            training: tf.function(
                lambda views, training=training: _of_any_number(
                    functools.partial(served, training=training), views
                ),
                input_signature=[self.views],
            )
            for training in (False, True)
        }
        features = self.represent[False].get_concrete_function().structured_outputs
        self.served = "features" if classes is None else "probabilities"

        @tf.function(input_signature=[tf.TensorSpec(features.shape, features.dtype)])
        def project(features: tf.Tensor) -> tf.Tensor:
            z = model.projection_head(features, training=False)
            return tf.cast(z, features.dtype)

        self.outputs = {self.served: tf.TensorSpec(features.shape[1:], features.dtype)}
        self.project = project if model.method.projects else None
        if self.project is not None:
            z = self.project.get_concrete_function().structured_outputs
            self.outputs["projection"] = tf.TensorSpec(z.shape[1:], z.dtype)

    def images(self, dtype: tf.DType, name: str = "images") -> tf.TensorSpec:
        """Images of any size, with the channels that the encoder takes."""
        return tf.TensorSpec([None, None, None, self.channels], dtype, name=name)

    def view(self, images: tf.Tensor) -> tf.Tensor:
        """What the encoder sees of images uint8 or in [0, 1], of any size."""
        images = require_channels(images, self.channels)
        return self._view(to_unit_range(images, self.views.dtype))

    def answer(self, views: tf.Tensor, accepted: tf.Tensor) -> _Outputs:
        """Features, and projections if there are any; NaN for what is not accepted."""
        features = self.represent[False](views)
        outputs = {self.served: features}
        if self.project is not None:
            outputs["projection"] = self.project(features)
        kept = accepted[:, None]
        return {
            name: tf.where(kept, output, output.dtype.as_numpy_dtype("nan"))
            for name, output in outputs.items()
        }

    def with_classes(self, outputs: _Outputs) -> _Outputs:
        """Answers, with the names of the classes in each row where there are any."""
        if self.classes is None:
            return outputs
        rows = tf.shape(outputs[self.served])[0]
        return {**outputs, "classes": tf.tile(self.classes[None], [rows, 1])}

    def captured(self) -> list[tf.Variable]:
        """The variables that the graphs read or write."""
        graphs = [*self.represent.values()]
        graphs += [self.project] if self.project is not None else []
        return [v for g in graphs for v in g.get_concrete_function().variables]


def _variables(model: Learner, graphs: Graphs) -> dict[str, list[tf.Variable]]:
    """The lists of variables of the saved object, each variable held once.

    The graphs also capture what Keras does not count among a model's variables, such
    as the state of a random generator. Keras wraps variables of mixed precision, and
    the graphs capture what is wrapped: both have the same handle.
    """
    captured = {id(v.handle): v for v in graphs.captured()}
    encoder = ordered_variables(model.encoder)
    own = {
        id(v.handle): captured.get(id(v.handle), v)
        for v in [*encoder, *model.projection_head.variables]
    }
    return {
        # A layer frozen while training elsewhere can be fine-tuned here.
        "trainable_variables": [own[id(v.handle)] for v in encoder if v.trainable],
        "variables": list({**own, **captured}.values()),
    }


def _callable(graphs: Graphs) -> Callable[..., tf.Tensor]:
    """What the loaded object does when it is called."""

    @tf.function(autograph=False)
    def call(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        if images.dtype.is_floating:
            images = require_all(images, in_unit_range(images))
        return graphs.represent[bool(training)](graphs.view(images))

    for dtype in _DTYPES:
        for training in (False, True):
            call.get_concrete_function(graphs.images(dtype), training=training)
    return call


def _signatures(graphs: Graphs) -> dict[str, tf.types.experimental.ConcreteFunction]:
    @tf.function(autograph=False)
    def serve(images: tf.Tensor) -> _Outputs:
        accepted = in_unit_range(images)
        images = require_any(images, accepted)
        return graphs.with_classes(graphs.answer(graphs.view(images), accepted))

    @tf.function(autograph=False)
    def serve_pixels(images_0_255: tf.Tensor) -> _Outputs:
        accepted = in_pixel_range(images_0_255)
        images = require_any(images_0_255, accepted) / 255.0
        return graphs.with_classes(graphs.answer(graphs.view(images), accepted))

    @tf.function(autograph=False)
    def serve_uint8(images: tf.Tensor) -> _Outputs:
        accepted = tf.ones(tf.shape(images)[:1], tf.bool)
        return graphs.with_classes(graphs.answer(graphs.view(images), accepted))

    @tf.function(autograph=False)
    def serve_files(bytes: tf.Tensor) -> _Outputs:
        return graphs.with_classes(_answer_files(graphs, bytes))

    pixels = graphs.images(tf.float32, "images_0_255")
    signatures = {
        "serving_default": serve.get_concrete_function(graphs.images(tf.float32)),
        "serving_uint8": serve_uint8.get_concrete_function(graphs.images(tf.uint8)),
        "serving_0_255": serve_pixels.get_concrete_function(pixels),
    }
    if graphs.channels in CHANNELS_OF_FILES:
        files = tf.TensorSpec([None], tf.string, name="bytes")
        signatures["jpeg"] = serve_files.get_concrete_function(files)
    if graphs.classes is not None:
        signatures["classify"] = signatures["serving_default"]
    return signatures


def _answer_files(graphs: Graphs, contents: tf.Tensor) -> _Outputs:
    """Answers for image files; NaN for those that cannot be read."""

    def image(file: tf.Tensor) -> tf.Tensor:
        rgb = decode_in_graph(file, value_range=graphs.value_range)
        return _luma(rgb) if graphs.channels == 1 else rgb

    if graphs.image_size is not None:
        black = tf.zeros(graphs.views.shape[1:], graphs.views.dtype)
        accepted, views = read_files(
            contents, lambda file: graphs.view(image(file)[None])[0], black
        )
        return graphs.answer(views, accepted)

    # Images of different sizes make no batch, but their serialised tensors do.
    accepted, images = read_files(
        contents, lambda file: tf.io.serialize_tensor(image(file)), tf.constant(b"")
    )

    def answer(row: tuple[tf.Tensor, tf.Tensor]) -> _Outputs:
        accepted, serialised = row

        def features() -> _Outputs:
            image = tf.io.parse_tensor(serialised, tf.uint8)
            image = tf.ensure_shape(image, [None, None, graphs.channels])
            outputs = graphs.answer(graphs.view(image[None]), accepted[None])
            return {name: rows[0] for name, rows in outputs.items()}

        return tf.cond(accepted, features, lambda: _not_answered(graphs.outputs))

    return tf.map_fn(answer, (accepted, images), fn_output_signature=graphs.outputs)


def _not_answered(outputs: dict[str, tf.TensorSpec]) -> _Outputs:
    return {
        name: tf.fill(spec.shape, tf.constant(float("nan"), spec.dtype))
        for name, spec in outputs.items()
    }


def _luma(image: tf.Tensor) -> tf.Tensor:
    """RGB uint8 `[H, W, 3]` as `[H, W, 1]`; of a grey image exactly its values."""
    luma = tf.tensordot(tf.cast(image, tf.float32), [[0.299], [0.587], [0.114]], 1)
    return tf.cast(tf.round(luma), tf.uint8)


def _view(images: tf.Tensor, image_size: ImageSize | None) -> tf.Tensor:
    if image_size is None:
        return images
    return evaluation_view(images, image_size)
