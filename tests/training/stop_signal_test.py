"""A signal asks for a stop; a second one, and all after the run, act as before."""

import signal
import threading

import pytest

from simclr_tf.training.stop_signal import StopSignal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def heard():
    """The signals that reach the handlers of the program around the run."""
    numbers = []
    before = {
        number: signal.signal(number, lambda number, frame: numbers.append(number))
        for number in _SIGNALS
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def _handlers():
    return [signal.getsignal(number) for number in _SIGNALS]


@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_is_noted_and_a_second_one_acts_as_before(number, heard):
    with StopSignal() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        assert heard == []
        signal.raise_signal(number)
        assert heard == [number]


def test_the_second_signal_may_be_the_other_one(heard):
    with StopSignal():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert heard == [signal.SIGINT]


def test_a_second_ctrl_c_interrupts():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_all_is_as_before():
    before = _handlers()
    with StopSignal():
        assert not set(before) & set(_handlers())
    assert _handlers() == before
    with pytest.raises(ZeroDivisionError), StopSignal():
        raise ZeroDivisionError
    assert _handlers() == before
    with StopSignal():
        signal.raise_signal(signal.SIGTERM)
    assert _handlers() == before


def test_other_threads_leave_signals_alone():
    before = _handlers()
    seen = []

    def work():
        with StopSignal() as stop:
            seen.extend([_handlers(), stop.requested])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
