"""An index is made once, kept, and made anew for what changed."""

import os

import numpy as np
import pytest

from simclr_tf.data.record_index import index_records
from tests.data.record_files import write_records


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    names = [str(tmp_path / name) for name in "abc"]
    for place, name in enumerate(names):
        write_records(name, [bytes(10 * place + k) for k in range(3)])
    return names


class _Labels:
    """Labels are the lengths; says which files were read."""

    def __init__(self):
        self.read = []

    def __call__(self, file, scan):
        self.read.append(os.path.basename(file))
        return scan.lengths.astype(np.int32)


def _index(files, key="key"):
    labels = _Labels()
    return index_records(files, labels, key=key), sorted(labels.read)


def test_records_come_in_the_order_of_the_files(files):
    index, read = _index(files)
    assert read == ["a", "b", "c"]
    assert index.file.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert index.length.tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert index.label.tolist() == index.length.tolist()
    assert index.offset.tolist() == [0, 16, 33, 0, 26, 53, 0, 36, 73]
    chosen = index.select(np.array([7, 1]))
    assert (chosen.file.tolist(), chosen.offset.tolist()) == ([2, 0], [36, 16])
    assert chosen.label.tolist() == [21, 1]


def test_what_did_not_change_is_not_read_again(files):
    first, _ = _index(files)
    again, read = _index(files)
    assert read == []
    np.testing.assert_equal(again, first)
    assert _index(files, "another key")[1] == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_changed_is_read_again(files, change):
    before, _ = _index(files)
    if change == "size":
        write_records(files[1], [b"new"])
    else:
        write_records(files[1], [b"x" * 10, b"y" * 11, b"z" * 12])
        os.utime(files[1], ns=(1, 1))
    after, read = _index(files)
    assert read == ["b"]
    assert after.identities[0] == before.identities[0]
    assert after.identities[1] != before.identities[1]
    assert len(after.label) == (7 if change == "size" else 9)
    assert _index(files)[1] == []


def test_a_part_of_the_files_does_not_drop_the_others(files):
    _index(files)
    assert _index(files[:1])[1] == []
    write_records(files[0], [b"new"])
    assert _index(files[:1])[1] == ["a"]
    assert _index(files)[1] == []


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_index_is_made_anew(files, damage, tmp_path):
    first, _ = _index(files)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:-40] if damage is None else damage)
    again, read = _index(files)
    assert read == ["a", "b", "c"]
    np.testing.assert_equal(again, first)


def test_an_index_that_lies_is_not_believed(files, tmp_path):
    first, _ = _index(files)
    (kept,) = (tmp_path / "cache").iterdir()
    with np.load(kept) as arrays:
        arrays = dict(arrays)
    arrays["lengths"][4] = 2**60
    with kept.open("wb") as file:
        np.savez(file, **arrays)
    again, read = _index(files)
    assert read == ["b"]
    np.testing.assert_equal(again, first)


def test_a_folder_that_cannot_be_written_to_is_told(files, monkeypatch, capsys):
    monkeypatch.setenv("SIMCLR_TF_CACHE", files[0])
    index, _ = _index(files)
    assert len(index.label) == 9
    said = capsys.readouterr().err
    assert "cannot be kept" in said
    assert "SIMCLR_TF_CACHE" in said


def test_nothing_unfinished_is_left(files, tmp_path):
    _index(files)
    assert len(list((tmp_path / "cache").iterdir())) == 1
