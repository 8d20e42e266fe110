"""One process at a time in a run folder, and no lock outlives its process for long."""

import json
import os
import subprocess

import pytest

from simclr_tf.training import RunFolderError, run_lock
from simclr_tf.training.run_lock import RunLock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock.json"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(run_lock, "_SETTLE", 0.0)
    monkeypatch.setattr(run_lock, "_BEAT", 0.05)
    monkeypatch.setattr(run_lock, "_PATIENCE", 0.4)


def _held(path, said=None):
    return RunLock(str(path), (said if said is not None else []).append)


def _change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_it_names_host_and_process_and_goes_when_left(path):
    with _held(path):
        holder = json.loads(path.read_text())
        assert holder["pid"] == os.getpid()
        assert holder["host"]
    assert list(path.parent.iterdir()) == []
    with pytest.raises(ZeroDivisionError), _held(path):
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []


def test_a_second_process_is_refused_and_the_first_goes_on(path):
    with _held(path) as lock:
        with pytest.raises(
            RunFolderError, match=rf"in use by process {os.getpid()} on"
        ):
            _held(path).__enter__()
        lock.require_held()


def test_a_process_of_this_machine_that_is_gone_loses_its_lock_at_once(path):
    """Killed while it held it: nobody cleans up."""
    with _held(path):
        text = path.read_text()
    path.write_text(text)
    with subprocess.Popen(["sleep", "600"]) as process:
        started = run_lock._start_of(process.pid)
        _change(path, pid=process.pid, started=started, token="another")
        with pytest.raises(RunFolderError, match=f"in use by process {process.pid} on"):
            _held(path).__enter__()
        process.kill()
    said = []
    with _held(path, said) as lock:
        lock.require_held()
    assert len(said) == 1
    assert f"from process {process.pid} on" in said[0]


def test_a_process_id_that_was_given_out_again_is_another_process(path):
    with _held(path):
        text = path.read_text()
    path.write_text(text)
    _change(path, started="1", token="another")
    said = []
    with _held(path, said):
        assert "Taking over" in said[0]


def test_elsewhere_a_process_without_a_sign_of_life_loses_its_lock(path):
    with _held(path):
        text = path.read_text()
    path.write_text(text)
    _change(path, machine="elsewhere", host="elsewhere", token="another")
    said = []
    with _held(path, said):
        assert "waiting" in said[0]
        assert "Taking over" in said[1]
        assert "on elsewhere, which is gone" in said[1]


def test_elsewhere_a_process_that_lives_keeps_its_lock(path, monkeypatch):
    with _held(path):
        monkeypatch.setattr(run_lock, "_machine", lambda: "elsewhere")
        with pytest.raises(RunFolderError, match="in use by process"):
            _held(path).__enter__()


def test_who_lost_the_lock_is_told_and_leaves_it(path):
    with _held(path) as lock:
        _change(path, token="another", pid=1)
        with pytest.raises(RunFolderError, match="taken over by process 1 on"):
            lock.require_held()
    assert json.loads(path.read_text())["token"] == "another"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 3}', "\x00"])
def test_a_damaged_lock_is_nobodys(path, text):
    path.write_text(text)
    with _held(path) as lock:
        lock.require_held()
