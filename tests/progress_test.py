"""Progress says how fast it goes and how long it will take."""

import io

import pytest

from simclr_tf import progress
from simclr_tf.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_rate_and_time_left_count_from_where_this_process_began(clock):
    work = Progress(1000, start=200)
    clock[0] += 10.0
    assert work.rate(300) == 10.0
    assert work.left(300) == "70 s"


def test_time_left_follows_what_the_work_costs(clock):
    """The second half costs nine times as much as the first."""
    work = Progress(100, cost=lambda done: done + 8 * max(done - 50, 0))
    clock[0] += 10.0
    assert work.left(50) == "2 min"
    assert Progress(100).left(0) == "?"


def test_an_unknown_total_claims_no_time(clock):
    terminal = Terminal()
    work = Progress(None, stream=terminal)
    clock[0] += 2.0
    work.show(500, {"loss": 1.25})
    line = terminal.getvalue()
    assert "500/? images" in line
    assert "loss 1.25" in line
    assert "250 images/s" in line
    assert "? left" in line


def test_a_shorter_line_leaves_nothing_of_a_longer_one(clock):
    terminal = Terminal()
    work = Progress(10, stream=terminal)
    clock[0] += 1.0
    work.show(1, {"a very long name": 1.0})
    work.show(2)
    _, first, second = terminal.getvalue().split("\r")
    assert len(second) == len(first)
    work.clear()
    assert terminal.getvalue().endswith("\r")


def test_files_and_pipes_get_no_lines_that_update(clock):
    pipe = io.StringIO()
    work = Progress(10, stream=pipe)
    clock[0] += 5.0
    assert work.due()
    work.show(5)
    work.clear()
    assert pipe.getvalue() == ""
    assert not work.due()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (40, "40 s"), (89, "89 s"), (720, "12 min"), (11_100, "3 h 05 min")],
)
def test_durations_in_units_that_tell(seconds, words):
    assert duration(seconds) == words
