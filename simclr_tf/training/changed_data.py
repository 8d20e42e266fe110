"""Images that changed since a run was started, refused or gone on with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from simclr_tf.training.calendar import Calendar
from simclr_tf.training.data_record import DataRecord
from simclr_tf.training.metrics_file import epoch_rows
from simclr_tf.training.run_files import RunFolderError
from simclr_tf.training.run_folder import RunFolder


def data_record(
    run: RunFolder,
    now: DataRecord,
    step: int,
    accept_changed_data: bool,
    say: Callable[[str], None],
) -> DataRecord:
    """What the run learns from: as before, or with the change that was accepted.

    Args:
      run: the run folder.
      now: the record of the data as it is.
      step: steps done.
      accept_changed_data: go on where the data has changed.
      say: called with a line on a change.

    Raises:
      RunFolderError: where the data has changed, and that is not accepted.
    """
    if not step:
        return now
    before = run.read_data()
    if before is None:  # A run begun before this was kept.
        row = (epoch_rows(run.read_metrics()) or [{}])[-1]
        length = now.calendar.steps_per_epoch
        if row.get("epoch"):
            length = max(row["step"] // row["epoch"], 1)
        before = DataRecord(None, Calendar(now.calendar.epochs, length))
    # A run that is extended has more of them than it had.
    calendar = dataclasses.replace(before.calendar, epochs=now.calendar.epochs)
    before = dataclasses.replace(before, calendar=calendar)
    if step >= before.calendar.total:  # No crop will be cut any more.
        now = dataclasses.replace(now, crops=before.crops)
    changes = before.changes(now)
    if not changes:
        if step < before.calendar.since:  # The states after the change are damaged.
            return before.going_on(now, step)
        return dataclasses.replace(before, fingerprint=now.fingerprint)
    told = f"The data of {run.path} has changed since the run was started: "
    told += "; ".join(changes) + ". "
    epoch = before.calendar.epoch_of(step) + 1
    if not accept_changed_data:
        raise RunFolderError(
            f"{told}Restore it, choose another folder with --run, or go on with the "
            f"data as it is now with --accept_changed_data: epoch {epoch} then begins "
            "anew."
        )
    say(f"{told}Epoch {epoch} begins anew with the data as it is now.")
    return before.going_on(now, step)
