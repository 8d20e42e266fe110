"""The graph of an export that has one input and one output, for converters."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import known_in_range
from simclr_tf.export.acceptance import in_unit_range
from simclr_tf.export.fixed_view import FixedView, fixed_view
from simclr_tf.export.precision import computing_in
from simclr_tf.export.servable import Graphs
from simclr_tf.export.served import Served


def function_of(served: Served, *, checked: bool = True) -> Any:
    """A `tf.function`, traced in float32, from `images` to features or probabilities.

    Args:
      served: the model; of one input size, the view of its images is a crop or a
        product with constants, which every converter takes.
      checked: whether an image out of [0, 1] is answered with NaN. Without it the
        graph is nothing but the encoder, and an integer one can be made of it.
    """
    spec = tf.TensorSpec(
        [None, *served.input_sides, served.channels], tf.float32, name="images"
    )
    with computing_in(served.model, "float32"), known_in_range():
        if served.input_size is None:
            function = _of_any_size(served, spec)
        else:
            view = fixed_view(served.input_size, served.image_size)
            function = _of_one_size(served, spec, view, checked)
        function.get_concrete_function()
    return function


def _of_any_size(served: Served, spec: tf.TensorSpec) -> Any:
    graphs = Graphs(
        served.model, served.image_size, served.channels, None, served.classes
    )

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        accepted = in_unit_range(images)
        images = tf.where(accepted[:, None, None, None], images, 0.0)
        outputs = graphs.answer(graphs.view(images), accepted)
        return {served.output: outputs[served.output]}

    return serve


def _of_one_size(
    served: Served, spec: tf.TensorSpec, view: FixedView, checked: bool
) -> Any:
    model = served.model

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(view.apply(images), training=False)
        if served.classes is not None:
            outputs = tf.nn.softmax(model.projection_head(outputs, training=False))
        if checked:
            accepted = in_unit_range(images)
            outputs = tf.where(accepted[:, None], outputs, float("nan"))
        return {served.output: outputs}

    return serve
