"""The contrastive loss, its metrics, and gathering over replicas."""

from simclr_tf.loss.nt_xent import Contrast, NTXent, contrast, nt_xent

__all__ = ["Contrast", "NTXent", "contrast", "nt_xent"]
