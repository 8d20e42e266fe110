"""A page about runs: what they learned, in words, curves and pictures."""

from simclr_tf.report.write import make_report

__all__ = ["make_report"]
