"""The time that a run says it still takes."""

import time
import types

from simclr_tf.training.run_loop import RunLoop


def test_the_first_steps_which_are_compiled_tell_nothing_of_the_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    calendar = types.SimpleNamespace(total=11)
    nothing = dict.fromkeys(("run", "model", "often", "part", "measurement", "say"))
    loop = RunLoop(
        begun=types.SimpleNamespace(calendar=calendar, step=0, seconds=0.0),
        crew=types.SimpleNamespace(is_chief=False),
        shown={},
        pixels=lambda images: 32.0 * 32 * images,
        sources=(),
        batch_size=10,
        steps_per_execution=1,
        **nothing,
    )
    taken = []

    def train(batches, steps):
        now[0] += 3.0 * steps if taken else 600.0
        taken.append(steps)
        return {"loss": 1.0}

    train = loop._first_apart(train, 0, 32)
    progress = loop._progress
    assert train(None, 1) == {"loss": 1.0}
    assert progress.left(10) == "?"
    train(None, 5)
    assert progress.left(60) == "15 s"
    assert progress.rate(60) == 50 / 15
    assert taken == [1, 5]
    assert loop.seconds == 615.0
