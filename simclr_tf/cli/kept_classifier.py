"""The classifier that linear_eval fits, kept as a SavedModel."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from absl import flags

from simclr_tf.cli.encoder_flags import Loaded
from simclr_tf.evaluation.linear_classifier import LinearClassifier
from simclr_tf.export import export_classifier
from simclr_tf.head import ClassifierHead
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.training.precision import policy


def keep_classifier(
    loaded: Loaded,
    classifier: LinearClassifier,
    names: Sequence[str],
    values: flags.FlagValues,
    path: str,
) -> bool:
    """Writes encoder and classifier as one SavedModel, see `export_classifier`.

    Args:
      loaded: the encoder.
      classifier: of its representations.
      names: of the classes, in the order of the classifier's scores.
      values: of the flags, which say the precision.
      path: folder to write.

    Returns:
      Whether it was written: the encoder of a SavedModel is no Keras model, of which
      another one could be made.

    Raises:
      UserError: the folder holds something else, or cannot be written.
    """
    encoder = loaded.encoder
    if not isinstance(encoder, Learner):
        return False
    with policy(values.precision):
        model = Learner(encoder.encoder, ClassifierHead(len(names)), SupervisedMethod())
        # Of any size, with the channels that the encoder was built for.
        model.build(tf.TensorShape(encoder._build_input_shape))
    dense = model.projection_head.classes
    dense.kernel.assign(classifier.weights)
    dense.bias.assign(classifier.offsets)
    export_classifier(
        model,
        path,
        classes=names,
        image_size=loaded.image_size,
        precision=values.precision,
        value_range=loaded.form.value_range,
    )
    return True
