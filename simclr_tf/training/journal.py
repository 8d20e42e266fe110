"""What a run notes down, epoch by epoch."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.training.run_folder import RunFolder


class Journal:
    """Writes each epoch's figures to metrics.jsonl and for TensorBoard.

    Args:
      run: where to.
      step: steps done; notes of later ones, which will be written again, are dropped.
    """

    def __init__(self, run: RunFolder, step: int) -> None:
        self._run = run
        run.keep_metrics_until(step)
        self._writer = tf.summary.create_file_writer(run.tensorboard)

    def write(self, row: dict[str, float]) -> None:
        """Adds the figures of `row["step"]`."""
        self._run.append_metrics(row)
        with self._writer.as_default(step=row["step"]):
            for name, value in row.items():
                tf.summary.scalar(name, value)
