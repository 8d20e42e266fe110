"""What a run remembers of its data, and where epochs lie when it has changed."""

import json

import numpy as np
import pytest

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import load
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.data_record import DataRecord


def _source(path, count, classes=2):
    labels = np.arange(count) % classes
    np.savez(path, images=np.zeros([count, 8, 8, 3], np.uint8), labels=labels)
    return load(f"npz:{path}")


def test_a_record_survives_json(tmp_path):
    record = DataRecord.of(_source(tmp_path / "a.npz", 12), 5, 3)
    assert DataRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    assert record.changes(record) == []


@pytest.mark.parametrize(
    ("count", "classes", "steps", "told"),
    [
        (20, 2, 5, ["images were 12 and are 20", "an epoch had 3 steps and has 5"]),
        (12, 3, 3, ["classes were 2 and are 3"]),
        (12, 2, 4, ["an epoch had 3 steps and has 4"]),
    ],
)
def test_changes_are_named(tmp_path, count, classes, steps, told):
    before = DataRecord.of(_source(tmp_path / "a.npz", 12), 5, 3)
    now = DataRecord.of(_source(tmp_path / "b.npz", count, classes), 5, steps)
    changes = before.changes(now)
    assert [change for change in told if change not in changes] == []


def test_as_many_images_with_other_contents_are_a_change():
    calendar = Calendar(5, 3)
    record = {"images": 12, "classes": None, "digest": "a"}
    before = DataRecord(record, calendar)
    (told,) = before.changes(DataRecord({**record, "digest": "b"}, calendar))
    assert "as many images as before" in told
    assert DataRecord(None, calendar).changes(before) == []


@pytest.mark.parametrize("length", [1, 4, 9])
@pytest.mark.parametrize("step", [0, 3, 4, 6, 11, 12])
def test_the_epoch_that_was_left_begins_anew(step, length):
    before = DataRecord(None, Calendar(3, 4))
    now = DataRecord({"images": 1}, Calendar(3, length))
    record = before.going_on(now, step)
    calendar, epoch = record.calendar, step // 4
    assert record.fingerprint == now.fingerprint
    assert calendar.begin_of(epoch) == step
    assert calendar.total == step + (3 - epoch) * length
    assert calendar.data_step(step) == epoch * length
    if epoch < 3:
        assert calendar.epoch_of(step) == epoch
        assert calendar.epoch_of(step + length - 1) == epoch
        assert calendar.epoch_of(step + length) == epoch + 1
    # And once more.
    again = record.going_on(before, step + 1).calendar
    assert again.begin_of(min(calendar.epoch_of(step + 1), 3)) == step + 1


def test_crops_that_an_older_version_cut_otherwise_are_a_change(photos):
    source = load(f"folder:{photos / 'test'}", image_size=16)
    now = DataRecord.of(source, 5, 3, SimCLRAugmenter(16))
    assert now.crops == "upright files"
    older = now.to_dict()
    del older["crops"]
    (told,) = DataRecord.from_dict(older).changes(now)
    assert "an older version cut crops from pictures that it had shrunk" in told
    assert DataRecord.from_dict(now.to_dict()).changes(now) == []
    assert DataRecord.from_dict(older).going_on(now, 4).crops == "upright files"
