"""What a run notes down of its steps and epochs."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType

import tensorflow as tf

from simclr_tf import messages, whole_files
from simclr_tf.training.metrics_file import MetricsFile
from simclr_tf.training.run_files import file_errors

# How TensorBoard knows that a value is a point of a curve. `tf.summary.scalar` writes
# the same and needs TensorBoard installed.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,  # DATA_CLASS_SCALAR of summary.proto
)


class Journal:
    """Writes rows of figures to metrics.jsonl and for TensorBoard, while entered.

    Args:
      metrics: path of metrics.jsonl.
      tensorboard: folder of TensorBoard's files.
      step: steps done; notes of later ones, which will be written again, are dropped.
      say: called with what a person should know.
    """

    def __init__(
        self,
        metrics: str,
        tensorboard: str,
        step: int,
        say: Callable[[str], None] = messages.say,
    ) -> None:
        self._metrics = MetricsFile(metrics)
        self._tensorboard = tensorboard
        unreadable = self._metrics.keep_until(step)
        if unreadable:
            lines = "1 line was" if unreadable == 1 else f"{unreadable} lines were"
            say(f"{metrics}: {lines} damaged and left out.")
        with file_errors("write", tensorboard):
            _keep_events_until(tensorboard, step)
            self._writer = tf.summary.create_file_writer(tensorboard)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, row: dict[str, float]) -> None:
        """Adds the figures of `row["step"]`."""
        self._metrics.append(row)
        with file_errors("write", self._tensorboard):
            with self._writer.as_default(step=row["step"]):
                for name, value in row.items():
                    value = tf.constant(value, tf.float32)
                    tf.summary.write(name, value, metadata=_SCALAR)
            self._writer.flush()


def _keep_events_until(folder: str, step: int) -> None:
    """Drops what TensorBoard's files say of later steps, and damaged ends."""
    if not tf.io.gfile.exists(folder):
        return
    for name in tf.io.gfile.listdir(folder):
        if ".tfevents." not in name:
            continue
        path = os.path.join(folder, name)
        kept, complete = [], True
        try:
            for record in tf.data.TFRecordDataset([path]).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                if event.step <= step:
                    kept.append(record)
                else:
                    complete = False
        except (tf.errors.DataLossError, tf.errors.OutOfRangeError):
            complete = False
        if not complete:
            # TensorBoard reads all files with ".tfevents." in their names.
            unread = whole_files.aside_of(os.path.join(folder, "rewritten"))
            with (
                whole_files.replacing_file(path, unread) as aside,
                tf.io.TFRecordWriter(aside) as writer,
            ):
                for record in kept:
                    writer.write(record)
