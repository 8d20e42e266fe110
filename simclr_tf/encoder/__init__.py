"""Encoders: ResNet as published, and any Keras image model by name."""

from simclr_tf.encoder.registry import make_encoder
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.sync_batch_normalization import SyncBatchNormalization

__all__ = ["ResNet", "SyncBatchNormalization", "make_encoder"]
