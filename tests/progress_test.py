"""The line of progress: how fast, how long still, and silence where nobody looks."""

import io
import os
import sys
import time

import pytest

from simclr_tf.progress import Progress, duration, waiting


class _Terminal:
    """A terminal, and what has been written to it."""

    def __init__(self):
        self._read, write = os.openpty()
        self.stream = os.fdopen(write, "w")

    def written(self):
        self.stream.write("\0")  # A terminal may hand over what it got in pieces.
        self.stream.flush()
        text = ""
        while not text.endswith("\0"):
            text += os.read(self._read, 10_000).decode()
        return text[:-1]

    def screen(self):
        """What the one line shows once the carriage returns have done their work."""
        shown = []
        for part in self.written().split("\r"):
            shown[: len(part)] = part
        return "".join(shown).rstrip()

    def close(self):
        self.stream.close()
        os.close(self._read)


@pytest.fixture
def terminal():
    """A real terminal with its other end in the test's hands."""
    terminal = _Terminal()
    yield terminal
    terminal.close()


def _progress(total, hours=2, **settings):
    """A progress that began some hours ago."""
    progress = Progress(total, **settings)
    progress.began -= hours * 3600
    return progress


def test_the_rate_counts_what_this_process_has_done():
    assert _progress(None).rate(7200) == pytest.approx(1.0, rel=1e-2)
    assert _progress(None, start=6480).rate(7200) == pytest.approx(0.1, rel=1e-2)
    assert _progress(None).rate(0) == 0.0


@pytest.mark.parametrize(
    ("done", "left"), [(500, "2 h 00 min"), (250, "6 h 00 min"), (1000, "0 s")]
)
def test_time_left_at_an_even_pace(done, left):
    assert _progress(1000).left(done) == left


def test_time_left_leaves_out_what_an_earlier_process_did():
    assert _progress(1000, start=500).left(750) == "2 h 00 min"


def test_time_left_follows_the_cost():
    """After 100 cheap units, those left cost three times as much each."""

    def cost(units):
        return min(units, 100) + 3 * max(units - 100, 0)

    assert _progress(200, cost=cost).left(100) == "6 h 00 min"
    assert _progress(200, cost=cost).left(150) == "72 min"
    assert _progress(200, start=100, cost=cost).left(150) == "2 h 00 min"


def test_time_left_leaves_out_what_the_compiler_took():
    """Of two hours the first 10 units took one and a half, compiled as they were."""
    progress = _progress(110)
    progress.leave_out(0, 10, 5400.0)
    assert progress.left(10) == "?"
    assert progress.left(110) == "0 s"
    assert progress.left(60) == "30 min"
    assert progress.rate(60) == pytest.approx(50 / 1800, rel=1e-2)


def test_time_left_is_unknown_where_nothing_tells():
    assert _progress(None).left(500) == "?"
    assert _progress(1000).left(0) == "?"
    assert _progress(1000, start=500).left(500) == "?"


def test_more_than_was_said_leaves_no_time():
    assert _progress(1000).left(1200) == "0 s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (40, "40 s"),
        (89, "89 s"),
        (90, "2 min"),
        (12 * 60, "12 min"),
        (5399, "1 h 30 min"),
        (3 * 3600 + 5 * 60, "3 h 05 min"),
        (2 * 3600 - 1, "2 h 00 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_line_on_a_terminal(terminal):
    progress = _progress(20_000, unit="images", stream=terminal.stream)
    progress.show(10_000, {"loss": 5.4321, "accuracy": 0.25})
    assert terminal.screen() == (
        "10,000/20,000 images  loss 5.432  accuracy 0.25  1 images/s  2 h 00 min left"
    )


def test_the_line_without_a_total(terminal):
    progress = _progress(None, unit="files checked", stream=terminal.stream)
    progress.show(72_000)
    assert terminal.screen() == "72,000/? files checked  10 files checked/s  ? left"


def test_a_shorter_line_leaves_nothing_of_the_longer_one(terminal):
    progress = _progress(10**7, stream=terminal.stream)
    progress.show(5_000_000, {"loss": 1.2345})
    progress.show(36_000)
    first, second = terminal.written().strip("\r").split("\r")
    assert len(second.rstrip()) < len(first) == len(second)
    assert "\n" not in first + second


def test_clear_takes_the_line_away_once(terminal):
    progress = _progress(1000, stream=terminal.stream)
    progress.clear()
    progress.show(500)
    progress.clear()
    assert terminal.screen() == ""
    progress.clear()
    terminal.stream.write("other output")
    terminal.stream.flush()
    assert terminal.written() == "other output"


def test_nothing_is_written_elsewhere():
    stream = io.StringIO()
    progress = _progress(1000, stream=stream)
    progress.show(500, {"loss": 1.0})
    progress.clear()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_line_is_due_when_the_last_is_old_enough(terminal, on_terminal):
    stream = terminal.stream if on_terminal else io.StringIO()
    progress = Progress(1000, stream=stream, every=1e6)
    assert not progress.due()
    progress.shown -= 2e6
    assert progress.due()
    progress.show(10)
    assert not progress.due()


def test_standard_error_is_where_the_line_goes_by_default():
    assert Progress(1000).stream is sys.stderr


def test_work_without_steps_moves_on_a_terminal_and_leaves_nothing(terminal):
    with waiting("compiling", stream=terminal.stream, every=0.01):
        time.sleep(0.2)
        assert "compiling: 0 s" in terminal.written()
    assert terminal.screen() == ""


def test_work_without_steps_is_silent_elsewhere():
    stream = io.StringIO()
    with waiting("compiling", stream=stream, every=0.001):
        time.sleep(0.02)
    assert stream.getvalue() == ""


def test_an_error_ends_the_line_of_waiting(terminal):
    with pytest.raises(KeyError), waiting("compiling", stream=terminal.stream):
        raise KeyError
    assert terminal.screen() == ""
