"""What a TPU would make of a recipe's training step, without a TPU."""

from simclr_tf.tpu_check.check import NOT_PROVEN, OutOfMemory, TpuCheck, tpu_check
from simclr_tf.tpu_check.fake_tpu import StepRefused
from simclr_tf.tpu_check.second_environment import CompilerMissing

__all__ = [
    "NOT_PROVEN",
    "CompilerMissing",
    "OutOfMemory",
    "StepRefused",
    "TpuCheck",
    "tpu_check",
]
