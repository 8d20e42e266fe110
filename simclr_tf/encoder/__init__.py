"""Encoders: ResNet as published, ViT, and any Keras image model by name."""

from simclr_tf.encoder.kind import Capabilities
from simclr_tf.encoder.registry import capabilities_of, make_encoder
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.sync_batch_normalization import SyncBatchNormalization
from simclr_tf.encoder.vit import VisionTransformer

__all__ = [
    "Capabilities",
    "ResNet",
    "SyncBatchNormalization",
    "VisionTransformer",
    "capabilities_of",
    "make_encoder",
]
