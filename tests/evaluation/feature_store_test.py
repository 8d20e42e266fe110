"""Features are the same in memory and in a file, and take their room once."""

import collections

import numpy as np
import pytest

from simclr_tf.errors import UserError
from simclr_tf.evaluation import blocks, feature_store
from simclr_tf.evaluation.feature_store import gather, without_rows

_H = np.random.default_rng(0).normal(size=[50, 6]).astype(np.float32)
_Y = np.arange(50)


def _batches(labelled=True):
    for begin in range(0, 50, 16):
        rows = slice(begin, begin + 16)
        yield _H[rows], (_Y[rows] if labelled else None)


@pytest.mark.parametrize("most", [2**30, 100])
def test_all_rows_in_their_order(monkeypatch, tmp_path, most):
    monkeypatch.setattr(feature_store, "_MOST_IN_MEMORY", most)
    done = []
    h, y = gather(_batches(), 50, progress=done.append, folder=str(tmp_path))
    np.testing.assert_array_equal(h, _H)
    np.testing.assert_array_equal(y, _Y)
    assert isinstance(h, np.memmap) == (most == 100)
    assert done == [16, 32, 48, 50]
    assert not list(tmp_path.iterdir())  # It has no name, so nobody has to delete it.
    assert gather(_batches(labelled=False), 50)[1] is None


@pytest.mark.parametrize("places", [[], [0], [49], [3, 4, 20, 49], list(range(50))])
def test_rows_are_left_out_in_place(monkeypatch, places):
    monkeypatch.setattr(blocks, "_ELEMENTS", 60)
    rows = _H.copy()
    found = without_rows(rows, np.array(places, np.int64))
    np.testing.assert_array_equal(found, np.delete(_H, places, axis=0))
    assert np.shares_memory(found, rows) or not len(found)


def test_a_full_disk_is_told_before_anything_is_written(monkeypatch, tmp_path):
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(feature_store, "_MOST_IN_MEMORY", 100)
    monkeypatch.setattr(feature_store.shutil, "disk_usage", lambda folder: usage(999))
    with pytest.raises(
        UserError, match=r"take 0\.0 GB, and .* has 0\.0 GB left: set TMP"
    ):
        gather(_batches(), 50, folder=str(tmp_path))
    with pytest.raises(UserError, match="at least one example"):
        gather(iter(()), 50)
