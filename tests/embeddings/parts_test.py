"""Parts follow each other without a gap, and come back as they were."""

import numpy as np
import pytest

from simclr_tf.embeddings import Part, Parts
from simclr_tf.errors import UserError
from simclr_tf.whole_files import WriteError


def part(first, count, labelled=True, bad=()):
    features = np.arange(first, first + count, dtype=np.float32)[:, None] * [1, 2]
    labels = np.arange(first, first + count) % 3 if labelled else None
    return Part(first, features.astype(np.float32), labels, np.array(bad, np.int64))


def test_a_part_that_cannot_be_kept_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="file/parts cannot be written: "):
        Parts(str(tmp_path / "file" / "parts")).append(part(0, 5))


def test_parts_come_back_as_they_were(tmp_path):
    folder = str(tmp_path / "parts")
    assert (Parts(folder).count, list(Parts(folder))) == (0, [])
    parts = Parts(folder)
    parts.append(part(0, 5, bad=[2]))
    parts.append(part(5, 3, labelled=False))
    again = Parts(folder)
    assert again.count == parts.count == 8
    assert again.bad().tolist() == [2]
    first, second = again
    np.testing.assert_array_equal(first.features, part(0, 5).features)
    np.testing.assert_array_equal(first.labels, part(0, 5).labels)
    assert (second.first, second.end, second.labels) == (5, 8, None)


def test_a_part_that_does_not_follow_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must begin at 0, got 4"):
        Parts(str(tmp_path)).append(part(4, 2))


def test_what_follows_a_gap_does_not_count(tmp_path):
    """As where a file was deleted; an unfinished file is none."""
    parts = Parts(str(tmp_path))
    for first in (0, 4, 8):
        parts.append(part(first, 4))
    (tmp_path / "000000000004-000000000008.npz").unlink()
    (tmp_path / ".000000000004-000000000008.npz.0123.new").write_bytes(b"half")
    again = Parts(str(tmp_path))
    assert again.count == 4
    again.append(part(4, 2))
    assert Parts(str(tmp_path)).count == 6


def test_a_damaged_part_is_named(tmp_path):
    parts = Parts(str(tmp_path))
    parts.append(part(0, 4))
    file = tmp_path / "000000000000-000000000004.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"000000000004.npz cannot be read.*Delete"):
        list(Parts(str(tmp_path)))


def test_the_folder_can_be_removed(tmp_path):
    parts = Parts(str(tmp_path / "parts"))
    parts.append(part(0, 4))
    parts.remove()
    parts.remove()
    assert list(tmp_path.iterdir()) == []
