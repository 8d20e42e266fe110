"""Gradient caching: the gradient of a whole batch's loss in a micro-batch's memory.

Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
Setup": representations first; then the loss of all of them and its gradient by them;
then each micro-batch again with its part of that gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.replicas import num_replicas
from simclr_tf.errors import UserError

Represent = Callable[[tf.Tensor], tf.Tensor]

# Operations that turn a seed into a draw.
_SEEDED = {"StatelessRandomGetKeyCounter", "StatelessRandomGetKey"}
# Operations that give another result each time they run.
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


def gradients_of_batch(
    encoder: tf.keras.Model,
    represent: Represent,
    compare: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    scale: Callable[[tf.Tensor], tf.Tensor],
    count: int,
    shape: Sequence[int],
    others: Sequence[tf.Variable],
) -> tuple[dict[str, tf.Tensor], list]:
    """The gradient of a batch's loss, holding the activations of one micro-batch.

    Args:
      encoder: whose variables and layers' own losses count beside the loss.
      represent: the index of a micro-batch, int32 scalar, to its representations
        `[V, n, D]`, in Keras' `floatx`, as in training.
      compare: representations of the batch `[V * count * n, D]`, first all first
        views, to values whose `"loss"` is this replica's.
      scale: a loss times the optimizer's loss scale.
      count: number of micro-batches.
      shape: `[V, n, D]`.
      others: variables beside the encoder's to differentiate by.

    Returns:
      The values of `compare`, with the encoder's losses added to the loss; and the
      scaled gradients by the encoder's trainable variables and by the others, of this
      replica's share of the mean loss.

    Raises:
      UserError: where the graph of `represent` draws at random other than from seeds.
    """
    zero = tf.zeros([], tf.keras.backend.floatx())
    variables = encoder.trainable_variables
    state = encoder.non_trainable_variables
    views, size, width = shape

    def penalty() -> tf.Tensor:
        losses = [tf.cast(each, zero.dtype) for each in encoder.losses]
        return tf.add_n([zero, *losses]) / num_replicas()

    features = _represent_in_micro_batches(represent, count, shape, state)
    features = tf.reshape(features, [views * count * size, width])
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = compare(features)
        loss = scale(values["loss"] / num_replicas())
    upstream, *gradients = tape.gradient(loss, [features, *others])
    upstream = tf.reshape(upstream, [views, count, size, -1])
    upstream = tf.transpose(upstream, [1, 0, 2, 3])
    inner, penalties = _gradients_in_micro_batches(
        represent, penalty, scale, upstream, variables, state
    )
    loss = values["loss"] + tf.cast(penalties * num_replicas(), values["loss"].dtype)
    return {**values, "loss": loss}, inner + gradients


def _refuse(what: str) -> None:
    raise UserError(
        f"micro_batches above 1 represents each image twice, and the encoder's {what} "
        "would draw anew the second time: use Keras' own random layers, which repeat "
        "their draws, or micro_batches=1."
    )


def _without_draws(represent: Represent) -> Represent:
    """`represent`, which raises UserError where its graph has stateful draws."""

    def represented(index: tf.Tensor) -> tf.Tensor:
        if tf.executing_eagerly():
            return represent(index)
        graph = tf.compat.v1.get_default_graph()
        version = graph.version
        features = represent(index)
        added = graph.as_graph_def(from_version=version)
        for nodes in added.node, *(each.node_def for each in added.library.function):
            constants = {node.name for node in nodes if node.op == "Const"}
            for node in nodes:
                # A constant seed changes when the function is traced again.
                seeded = node.op in _SEEDED and node.input[0].split(":")[0] in constants
                if node.op in _DRAWS or seeded:
                    _refuse(f"operation {node.name} ({node.op})")
        return features

    return represented


def _represent_in_micro_batches(
    represent: Represent,
    count: int,
    shape: Sequence[int],
    state: Sequence[tf.Variable],
) -> tf.Tensor:
    """Representations of all micro-batches; the encoder's state stays as it was.

    Args:
      represent: as in `gradients_of_batch`.
      count: number of micro-batches.
      shape: `[V, n, D]`.
      state: variables that `represent` changes, such as moving averages.

    Returns:
      `[V, count * n, D]`.
    """
    represent = _without_draws(represent)
    before = [variable.value() for variable in state]

    def body(index: tf.Tensor, features: tf.TensorArray) -> tuple[tf.TensorArray]:
        return (features.write(index, represent(index)),)

    features = tf.TensorArray(tf.keras.backend.floatx(), count, element_shape=shape)
    with tf.control_dependencies(before):
        (features,) = _each_micro_batch(count, body, features)
    features = features.stack()
    with tf.control_dependencies([features]):
        restored = [variable.assign(value) for variable, value in zip(state, before)]
    with tf.control_dependencies(restored):
        features = tf.transpose(features, [1, 0, 2, 3])
    views, _, size, width = features.shape
    return tf.reshape(features, [views, count * size, width])


def _gradients_in_micro_batches(
    represent: Represent,
    penalty: Callable[[], tf.Tensor],
    scale: Callable[[tf.Tensor], tf.Tensor],
    upstream: tf.Tensor,
    trainable: Sequence[tf.Variable],
    state: Sequence[tf.Variable],
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of the encoder's variables from those of its representations.

    The encoder's state becomes the mean of what each micro-batch would make of it, so
    that moving averages move once a step and not once a micro-batch.

    Args:
      represent: as in `gradients_of_batch`.
      penalty: a scalar beside the loss that depends on the variables or on the
        micro-batch that was represented last; the mean over micro-batches counts.
      scale: what the penalty's gradient is scaled by, as `upstream` is already.
      upstream: gradient of the loss by the representations, `[count, V, n, D]`.
      trainable: variables to differentiate by.
      state: variables that `represent` changes.

    Returns:
      A gradient for each of `trainable`, and the mean penalty.
    """
    count = upstream.shape[0]
    before = [variable.value() for variable in state]

    def body(
        index: tf.Tensor,
        sums: list[tf.Tensor],
        means: list[tf.Tensor],
        penalties: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        reset = [variable.assign(value) for variable, value in zip(state, before)]
        with tf.control_dependencies(reset), tf.GradientTape() as tape:
            features = represent(index)
            gradient = tf.cast(tf.gather(upstream, index), features.dtype)
            loss = tf.reduce_sum(features * tf.stop_gradient(gradient))
            share = tf.cast(penalty(), loss.dtype) / count
            loss += scale(share)
        gradients = tape.gradient(
            loss, trainable, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        with tf.control_dependencies(gradients):
            now = [variable.read_value() for variable in state]
        sums = [total + gradient for total, gradient in zip(sums, gradients)]
        # The difference is added, so that what does not move keeps its bits.
        means = [
            mean + (value - start) / count if value.dtype.is_floating else value
            for mean, value, start in zip(means, now, before)
        ]
        return sums, means, penalties + share

    with tf.control_dependencies(before):
        sums, means, penalties = _each_micro_batch(
            count,
            body,
            [tf.zeros_like(variable) for variable in trainable],
            before,
            tf.zeros([], upstream.dtype),
        )
    for variable, value in zip(state, means):
        variable.assign(value)
    return sums, penalties


def _each_micro_batch(count: int, step: Callable[..., tuple], *state: Any) -> tuple:
    """Carries state through a step for each micro-batch, one after the other."""
    on_tpus = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
    if num_replicas() == 1 or on_tpus:
        _, *state = tf.while_loop(
            lambda index, *_: index < count,
            lambda index, *state: (index + 1, *step(index, *state)),
            (0, *state),
            parallel_iterations=1,
            maximum_iterations=count,
        )
        return tuple(state)
    # Batch norm's collectives among replicas cannot be in a loop of the graph, except
    # on TPUs. TPUs need the loop: XLA would merge the second forward pass of an
    # unrolled micro-batch with its first, and keep all activations.
    for index in range(count):
        with tf.control_dependencies(_tensors(state)):
            state = step(tf.constant(index), *state)
    return tuple(state)


def _tensors(state: Any) -> list[tf.Tensor]:
    return [
        part.flow if isinstance(part, tf.TensorArray) else part
        for part in tf.nest.flatten(state)
    ]
