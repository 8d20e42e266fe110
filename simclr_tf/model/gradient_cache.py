"""The gradient of a whole batch's loss, in the memory of a piece of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.replicas import num_replicas

Represent = Callable[[tf.Tensor], tf.Tensor]

# What turns a seed into a draw.
_SEEDED = {"StatelessRandomGetKeyCounter", "StatelessRandomGetKey"}
# Operations that give something else each time they run.
_DRAWS = {
    "Multinomial",
    "NonDeterministicInts",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "RngReadAndSkip",
    "RngSkip",
    "StatefulRandomBinomial",
    "StatefulStandardNormalV2",
    "StatefulTruncatedNormal",
    "StatefulUniform",
    "StatefulUniformFullInt",
    "StatefulUniformInt",
    "TruncatedNormal",
}


def require_repeatable(encoder: tf.keras.Model) -> None:
    """Raises ValueError where a layer of an encoder draws at random in training.

    Its pieces are represented twice, and must come out the same. Layers of other kinds
    than Keras' own random ones are found out in the first step.
    """
    random = tf.keras.__internal__.layers.BaseRandomLayer
    for layer in encoder.submodules:
        if isinstance(layer, random) and getattr(layer, "rate", 1.0):
            _refuse(f"layer {layer.name} ({type(layer).__name__})")


def _refuse(what: str) -> None:
    raise ValueError(
        f"micro_batches above 1 represents each image twice, and the encoder's {what} "
        "would draw anew: use an encoder without it, or micro_batches=1."
    )


def _without_draws(represent: Represent) -> Represent:
    """`represent`, which raises ValueError where its graph draws at random."""

    def represented(place: tf.Tensor) -> tf.Tensor:
        if tf.executing_eagerly():
            return represent(place)
        graph = tf.compat.v1.get_default_graph()
        version = graph.version
        made = represent(place)
        added = graph.as_graph_def(from_version=version)
        for nodes in added.node, *(each.node_def for each in added.library.function):
            constants = {node.name for node in nodes if node.op == "Const"}
            for node in nodes:
                # A seed traced as a constant is another where it is traced again.
                seeded = node.op in _SEEDED and node.input[0].split(":")[0] in constants
                if node.op in _DRAWS or seeded:
                    _refuse(f"operation {node.name} ({node.op})")
        return made

    return represented


def represent_in_pieces(
    represent: Represent,
    count: int,
    shape: Sequence[int],
    state: Sequence[tf.Variable],
) -> tf.Tensor:
    """Representations of all pieces, leaving no trace in the encoder's state.

    Args:
      represent: a piece's number, int32 scalar, to its representations `[2, n, D]`,
        in Keras' `floatx`, as in training.
      count: of pieces.
      shape: `[2, n, D]`.
      state: variables that `represent` moves, such as moving averages.

    Returns:
      `[2, count * n, D]`.

    Raises:
      ValueError: where representing a piece draws at random, in a graph.
    """
    represent = _without_draws(represent)
    before = [variable.value() for variable in state]

    def body(place: tf.Tensor, made: tf.TensorArray) -> tuple[tf.TensorArray]:
        return (made.write(place, represent(place)),)

    made = tf.TensorArray(tf.keras.backend.floatx(), count, element_shape=shape)
    with tf.control_dependencies(before):
        (made,) = _each_piece(count, body, made)
    made = made.stack()
    with tf.control_dependencies([made]):
        restored = [variable.assign(value) for variable, value in zip(state, before)]
    with tf.control_dependencies(restored):
        made = tf.transpose(made, [1, 0, 2, 3])
    views, pieces, size, width = made.shape
    return tf.reshape(made, [views, pieces * size, width])


def gradients_in_pieces(
    represent: Represent,
    penalty: Callable[[], tf.Tensor],
    scale: Callable[[tf.Tensor], tf.Tensor],
    upstream: tf.Tensor,
    trainable: Sequence[tf.Variable],
    state: Sequence[tf.Variable],
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of the encoder's variables from those of its representations.

    State that representing a piece moves ends at the mean of what the pieces make of
    it, so that moving averages move once a step and not once a piece.

    Args:
      represent: as in `represent_in_pieces`.
      penalty: a scalar beside the loss that depends on the variables or on the piece
        that was represented last; the mean over pieces counts.
      scale: what the penalty's gradient is scaled by, as `upstream` is already.
      upstream: gradient of the loss by the representations, `[count, 2, n, D]`.
      trainable: variables to differentiate by.
      state: variables that `represent` moves.

    Returns:
      A gradient for each of `trainable`, and the mean penalty.
    """
    count = upstream.shape[0]
    before = [variable.value() for variable in state]

    def body(
        place: tf.Tensor,
        sums: list[tf.Tensor],
        moved: list[tf.Tensor],
        paid: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        begun = [variable.assign(value) for variable, value in zip(state, before)]
        with tf.control_dependencies(begun), tf.GradientTape() as tape:
            made = represent(place)
            share = tf.cast(tf.gather(upstream, place), made.dtype)
            loss = tf.reduce_sum(made * tf.stop_gradient(share))
            due = tf.cast(penalty(), loss.dtype) / count
            loss += scale(due)
        found = tape.gradient(
            loss, trainable, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        found = [tf.convert_to_tensor(gradient) for gradient in found]
        with tf.control_dependencies(found):
            now = [variable.read_value() for variable in state]
        sums = [total + gradient for total, gradient in zip(sums, found)]
        # What does not move stays as it is to the bit.
        moved = [
            total + (value - start) / count if value.dtype.is_floating else value
            for total, value, start in zip(moved, now, before)
        ]
        return sums, moved, paid + due

    with tf.control_dependencies(before):
        sums, moved, paid = _each_piece(
            count,
            body,
            [tf.zeros_like(variable) for variable in trainable],
            before,
            tf.zeros([], upstream.dtype),
        )
    for variable, value in zip(state, moved):
        variable.assign(value)
    return sums, paid


def _each_piece(count: int, step: Callable[..., tuple], *state: Any) -> tuple:
    """Carries state through a step for each piece, one after the other."""
    on_tpus = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
    if num_replicas() == 1 or on_tpus:
        _, *state = tf.while_loop(
            lambda place, *_: place < count,
            lambda place, *state: (place + 1, *step(place, *state)),
            (0, *state),
            parallel_iterations=1,
            maximum_iterations=count,
        )
        return tuple(state)
    # Others than TPUs cannot meet, as batch norm has them do, in a loop of the graph.
    # Nor could TPUs do without: XLA would keep what pieces computed the first time.
    for place in range(count):
        with tf.control_dependencies(_tensors(state)):
            state = step(tf.constant(place), *state)
    return tuple(state)


def _tensors(state: Any) -> list[tf.Tensor]:
    return [
        part.flow if isinstance(part, tf.TensorArray) else part
        for part in tf.nest.flatten(state)
    ]
