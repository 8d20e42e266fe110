"""metrics.jsonl survives what a dying process or an editor leaves in it."""

import json

import pytest
import tensorflow as tf

from simclr_tf.training.metrics_file import MetricsFile

ROWS = [{"step": 10 * n, "epoch": n, "loss": 1.0 / n} for n in (1, 2, 3)]
LINES = [json.dumps(row) + "\n" for row in ROWS]


def test_an_absent_file_and_an_empty_one_have_no_rows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(str(path))
    assert file.read() == []
    assert file.keep_until(20) == 0
    assert not path.exists()
    path.write_text("")
    assert file.read() == []
    file.append(ROWS[0])
    assert path.read_text() == LINES[0]


@pytest.mark.parametrize(
    "damage",
    [LINES[2][:12], "[1, 2]\n", '{"loss": 1.0}\n', '{"step": "x"}\n', "\x00\x00"],
    ids=["torn", "no object", "no step", "step no number", "zeros"],
)
def test_damaged_lines_are_left_out_and_counted(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(LINES[:2]) + damage)
    file = MetricsFile(str(path))
    assert file.read() == ROWS[:2]
    assert file.keep_until(20) == 1
    assert path.read_text() == "".join(LINES[:2])
    assert file.keep_until(20) == 0
    file.append(ROWS[2])
    assert path.read_text() == "".join(LINES)


def test_a_last_line_without_its_end_is_a_row(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(LINES[:2])[:-1])
    file = MetricsFile(str(path))
    assert file.keep_until(20) == 0
    file.append(ROWS[2])
    assert path.read_text() == "".join(LINES)


def test_nothing_is_left_beside_it(tmp_path):
    file = MetricsFile(str(tmp_path / "metrics.jsonl"))
    for row in ROWS:
        file.append(row)
    file.keep_until(10)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
    assert file.read() == ROWS[:1]


def test_a_row_is_added_and_nothing_else_is_written(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    written = []
    write = tf.io.gfile.GFile.write

    def counted(file, text):
        written.append(len(text))
        return write(file, text)

    monkeypatch.setattr(tf.io.gfile.GFile, "write", counted)
    file = MetricsFile(str(path))
    file.append(ROWS[0])
    inode = path.stat().st_ino
    lines = [json.dumps({"step": step, "epoch": 0.5}) + "\n" for step in range(1000)]
    for step, line in enumerate(lines):
        before = path.stat().st_size
        file.append({"step": step, "epoch": 0.5})
        assert path.stat().st_size == before + len(line)  # At once, for readers.
    assert path.stat().st_ino == inode
    assert path.read_text() == "".join([LINES[0], *lines])
    assert sum(written) == path.stat().st_size


@pytest.mark.parametrize("end", [LINES[1][:9], LINES[1][:-1]], ids=["torn", "no end"])
def test_a_row_never_joins_what_another_process_left(tmp_path, end):
    path = tmp_path / "metrics.jsonl"
    path.write_text(LINES[0] + end)
    MetricsFile(str(path)).append(ROWS[2])
    whole = [LINES[1]] if end == LINES[1][:-1] else []
    assert path.read_text() == "".join([LINES[0], *whole, LINES[2]])


@pytest.mark.parametrize("grows", [True, False])
def test_a_remote_file_gets_its_rows(tmp_path, monkeypatch, grows):
    """Also where the file system has no files that grow."""
    if not grows:
        opened = tf.io.gfile.GFile

        def without_append(path, mode="r"):
            if mode == "a":
                raise tf.errors.UnimplementedError(None, None, "no append")
            return opened(path, mode)

        monkeypatch.setattr(tf.io.gfile, "GFile", without_append)
    folder = f"ram://{tmp_path.name}"
    tf.io.gfile.makedirs(folder)
    file = MetricsFile(f"{folder}/metrics.jsonl")
    for row in ROWS:
        file.append(row)
    assert file.read() == ROWS
    assert file.keep_until(20) == 0
    file.append(ROWS[2])
    assert file.read() == ROWS
