"""metrics.jsonl survives what a dying process or an editor leaves in it."""

import json

import pytest

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
