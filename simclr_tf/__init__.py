"""SimCLR for TensorFlow/Keras: from unlabelled images to a trained encoder."""

from simclr_tf import legacy_keras

legacy_keras.require()

from simclr_tf import (
    augmentation,
    checkpoints,
    data,
    evaluation,
    methods,
    training,
)
from simclr_tf.autograph import spare_the_package
from simclr_tf.encoder import ResNet, SyncBatchNormalization, make_encoder
from simclr_tf.export import export_encoder
from simclr_tf.head import ProjectionHead
from simclr_tf.loss import NTXent, nt_xent
from simclr_tf.model import Learner, SimCLR
from simclr_tf.optimizer import LARS, WarmupCosineDecay, scaled_learning_rate
from simclr_tf.version import __version__

spare_the_package()

__all__ = [
    "LARS",
    "Learner",
    "NTXent",
    "ProjectionHead",
    "ResNet",
    "SimCLR",
    "SyncBatchNormalization",
    "WarmupCosineDecay",
    "__version__",
    "augmentation",
    "checkpoints",
    "data",
    "evaluation",
    "export_encoder",
    "make_encoder",
    "methods",
    "nt_xent",
    "scaled_learning_rate",
    "training",
]
