"""What a run remembers of its data, so that a change is noticed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from simclr_tf.data import Source, cuts_files
from simclr_tf.training.calendar import Calendar

_FILES, _ARRAYS = "upright files", "arrays"
_AS_STORED = "files"  # of an earlier version


@dataclasses.dataclass(frozen=True)
class DataRecord:
    """The record that a run folder keeps of its data.

    Attributes:
      fingerprint: of the source, see `Source.fingerprint`; None for a run that began
        before fingerprints were kept.
      calendar: which steps make which epoch of the run.
      crops: what crops are cut from: "upright files", each file's own pixels, or
        "arrays", which all have one size. Runs of an earlier version had "files", which
        were not turned as their EXIF says; those of still earlier ones, which say
        nothing, had "arrays": they shrank files to a canvas first.
    """

    fingerprint: Mapping[str, object] | None
    calendar: Calendar
    crops: str = _ARRAYS

    def to_dict(self) -> dict:
        """The record for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping) -> DataRecord:
        """The record that `to_dict` gave; KeyError or TypeError if it is none."""
        crops = values.get("crops", _ARRAYS)
        return cls(values["fingerprint"], Calendar(**values["calendar"]), crops)

    @classmethod
    def of(
        cls,
        source: Source,
        epochs: int,
        steps_per_epoch: int,
        augmenter: object = None,
        *,
        noted_every: int = 1,
    ) -> DataRecord:
        """The record of a run that begins with a source and an augmenter."""
        fingerprint = json.loads(json.dumps(source.fingerprint()))
        crops = _FILES if cuts_files(source, augmenter) else _ARRAYS
        calendar = Calendar(epochs, steps_per_epoch, noted_every=noted_every)
        return cls(fingerprint, calendar, crops)

    def changes(self, now: DataRecord) -> list[str]:
        """The differences from this record, in words."""
        changes = _differences(self.fingerprint, now.fingerprint)
        before = self.calendar.steps_per_epoch
        after = now.calendar.steps_per_epoch
        if before != after:
            changes.append(f"an epoch had {before:,} steps and has {after:,}")
        if (self.crops, now.crops) == (_ARRAYS, _FILES):
            changes.append(
                "an older version cut crops from pictures that it had shrunk, and now "
                "they are cut from the files' own pixels"
            )
        elif (self.crops, now.crops) == (_AS_STORED, _FILES):
            changes.append(
                "an older version did not turn photographs as their EXIF says, and "
                "showed the colours of transparent pixels"
            )
        elif self.crops != now.crops:
            changes.append(f"crops were cut from {self.crops} and are from {now.crops}")
        return changes

    def going_on(self, now: DataRecord, step: int) -> DataRecord:
        """The record of this run with other data from a step on.

        The epoch of that step begins anew.
        """
        epoch = min(max(self.calendar.epoch_of(step), 0), self.calendar.epochs)
        length = now.calendar.steps_per_epoch
        calendar = self.calendar.anew(epoch, step, length)
        return DataRecord(now.fingerprint, calendar, now.crops)


def _differences(
    before: Mapping[str, object] | None, now: Mapping[str, object] | None
) -> list[str]:
    """How two fingerprints differ, in words; nothing where one of them is unknown."""
    if before is None or now is None or before == now:
        return []
    differences = []
    for name in ("images", "classes"):
        was, is_now = _count(before.get(name)), _count(now.get(name))
        if was != is_now:
            differences.append(f"{name} were {was} and are {is_now}")
    if not differences and before.get("classes") != now.get("classes"):
        differences.append("the classes have other names")
    return differences or [
        "there are as many images as before, and their names, sizes or contents differ"
    ]


def _count(value: object) -> object:
    return len(value) if isinstance(value, list) else value
