"""Each epoch's figures once, in metrics.jsonl and for TensorBoard."""

import sys

import pytest
import tensorflow as tf

from simclr_tf.training.journal import Journal


def _row(step, loss):
    return {"step": step, "epoch": step // 10, "loss": loss}


def _journal(folder, step, say=print):
    return Journal(
        str(folder / "metrics.jsonl"), str(folder / "tensorboard"), step, say
    )


def _events(folder):
    """Pairs of step and loss; files of one second are numbered 9, 10, so by step."""
    found = []
    for path in (folder / "tensorboard").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == "loss":
                    assert value.metadata.plugin_data.plugin_name == "scalars"
                    found.append((event.step, float(tf.make_ndarray(value.tensor))))
    return sorted(found)


def test_it_writes_what_tensorboard_reads_where_tensorboard_is_not_installed(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with _journal(tmp_path, 0) as journal:
        journal.write(_row(10, 2.5))
        # At once: a process that is killed takes nothing with it.
        assert _events(tmp_path) == [(10, 2.5)]
        journal.write(_row(20, 1.5))
    assert _events(tmp_path) == [(10, 2.5), (20, 1.5)]


@pytest.mark.parametrize("torn", [False, True])
def test_after_a_resume_no_step_is_there_twice(tmp_path, torn):
    with _journal(tmp_path, 0) as journal:
        for step in (10, 20, 30):
            journal.write(_row(step, step / 10))
    if torn:
        (path,) = (tmp_path / "tensorboard").iterdir()
        path.write_bytes(path.read_bytes()[:-5])
        with open(tmp_path / "metrics.jsonl", "a") as file:
            file.write('{"step": 4')
    said = []
    with _journal(tmp_path, 20, said.append) as journal:
        journal.write(_row(30, 7.0))
    assert _events(tmp_path) == [(10, 1.0), (20, 2.0), (30, 7.0)]
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 3
    assert "7.0" in rows[-1]
    assert [("1 line was damaged" in line) for line in said] == [True] * torn
