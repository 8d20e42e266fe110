"""The loop carries a classifier that knows nothing of it: a training with labels."""

import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.distribution.crew import Crew
from simclr_tf.progress import Progress
from simclr_tf.training import Diverged
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks import Evaluate, Hook, Log, Save, Show, Tell
from simclr_tf.training.interval import Interval
from simclr_tf.training.journal import Journal
from simclr_tf.training.loop import Loop, Phase
from simclr_tf.training.metrics_file import MetricsFile, epoch_rows
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.training.train_function import make_train_function

pytestmark = pytest.mark.slow

CALENDAR = Calendar(epochs=3, steps_per_epoch=5)
BATCH = 8


class _Classifier(tf.keras.Sequential):
    """Of points by their quadrant."""

    def __init__(self):
        tf.keras.utils.set_random_seed(0)
        super().__init__([tf.keras.layers.Dense(16, "relu"), tf.keras.layers.Dense(4)])
        self.build((None, 2))
        self.mean = tf.keras.metrics.Mean("loss")
        self.compile(tf.keras.optimizers.SGD(0.1, momentum=0.9))

    @property
    def metrics(self):
        return [self.mean]

    def learn(self, batch):
        points, labels = batch
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, self(points, training=True)
            )
            loss = tf.reduce_mean(losses)
        self.optimizer.minimize(loss, self.trainable_variables, tape)
        self.mean.update_state(losses)
        return {"loss": loss, "largest_loss": tf.reduce_max(losses)}


def _batch(step):
    points = tf.random.stateless_uniform([BATCH, 2], [0, step], -1.0, 1.0)
    labels = tf.reduce_sum(tf.cast(points > 0, tf.int32) * [1, 2], axis=1)
    return points, labels


class _Kill(Hook):
    """Sends this process a signal before a step."""

    def __init__(self, step):
        self._step = step

    def before(self, step):
        if step == self._step:
            os.kill(os.getpid(), signal.SIGTERM)

    def after(self, moment, asked):
        pass


def _train(folder, *, kill_at=None, steps=1, model=None):
    """Whether all steps were taken, the model, what was said."""
    model, said = model or _Classifier(), []
    crew = Crew(tf.distribute.get_strategy())
    checkpoints = Checkpoints(str(folder / "checkpoints"), model)
    done, _ = checkpoints.restore()
    progress = Progress(CALENDAR.total * BATCH, start=done * BATCH, every=0.0)
    check = FiniteCheck(model, CALENDAR, lambda: f"newest {checkpoints.newest}")
    journal = Journal(str(folder / "metrics.jsonl"), str(folder / "tb"), done)

    def begin(step):
        batches = tf.data.Dataset.range(step, CALENDAR.total).map(_batch)
        train = make_train_function(model.learn, model.distribute_strategy)
        return (
            Phase(10, iter(batches), train)
            if step < 10
            else Phase(CALENDAR.total, iter(batches), train)
        )

    def measure():
        return {"weights": float(tf.norm(model.layers[0].kernel))}, ["warned"]

    hooks = [
        _Kill(kill_at),
        Show(model, progress, BATCH, check, dict),
        Evaluate(measure, Interval.parse("eval", "6steps"), CALENDAR, check),
        Log(model, CALENDAR, BATCH, 2, check, journal.write),
        Tell(CALENDAR, progress, BATCH, lambda row: {"loss": row["loss"]}, said.append),
        Save(lambda s: checkpoints.save(s, 0.0), check, CALENDAR, every=4),
    ]
    loop = Loop(
        begin,
        CALENDAR.total,
        hooks=hooks,
        crew=crew,
        step=done,
        steps_per_execution=steps,
    )
    with StopSignal() as stop, journal:
        return loop.run(stop), model, said


def _rows(folder):
    rows = MetricsFile(str(folder / "metrics.jsonl")).read()
    assert all(row.pop("images_per_second") > 0 for row in rows)
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing ended: a signal in its last step finds all done."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, *_train(folder, kill_at=CALENDAR.total - 1)


def test_it_notes_down_steps_epochs_and_measurements(whole):
    folder, finished, model, _ = whole
    assert finished
    rows = _rows(folder)
    assert [row["step"] for row in rows] == [2, 4, 5, 6, 8, 10, 12, 14, 15]
    assert [row["epoch"] for row in rows] == [*(0.4, 0.8, 1, 1.2, 1.6, 2, 2.4, 2.8, 3)]
    assert [row["step"] for row in epoch_rows(rows)] == [5, 10, 15]
    names = {*("step", "epoch", "loss", "largest_loss", "learning_rate", "weight_norm")}
    for row in rows:
        measured = {"weights"} if row["step"] in (6, 12, 15) else set()
        assert set(row) == names | measured
        assert row["learning_rate"] == pytest.approx(0.1)
    norm = np.sqrt(sum((weight**2).sum() for weight in model.get_weights()))
    assert rows[-1]["weight_norm"] == pytest.approx(norm, rel=1e-6)


def test_a_row_within_an_epoch_is_of_its_step_and_one_at_its_end_of_the_epoch(whole):
    model, losses, largest = _Classifier(), [], []
    for step in range(CALENDAR.total):
        values = model.learn(_batch(tf.constant(step, tf.int64)))
        losses.append(float(values["loss"]))
        largest.append(float(values["largest_loss"]))
    for row in _rows(whole[0]):
        step = row["step"]
        loss = losses[step - 1] if step % 5 else np.mean(losses[step - 5 : step])
        assert row["loss"] == pytest.approx(loss, rel=1e-4)
        assert row["largest_loss"] == pytest.approx(largest[step - 1], rel=1e-4)


def test_it_tells_epochs_and_measurements(whole):
    heads = [line.split("  ")[0] for line in whole[3]]
    assert heads == [
        *("epoch 1/3", "step 6/15", "warned", "epoch 2/3"),
        *("step 12/15", "warned", "epoch 3/3", "warned"),
    ]


@pytest.mark.parametrize(("kill_at", "steps"), [(9, 1), (2, 4)])
def test_stopped_by_a_signal_and_gone_on_with_it_is_never_stopped(
    whole, tmp_path, kill_at, steps
):
    finished, _, _ = _train(tmp_path, kill_at=kill_at, steps=steps)
    assert not finished
    stopped_after = _rows(tmp_path)[-1]["step"]
    assert stopped_after in (kill_at, kill_at + 1, kill_at + 2)
    finished, model, _ = _train(tmp_path, steps=steps)
    assert finished
    assert _rows(tmp_path) == _rows(whole[0])
    for found, expected in zip(model.get_weights(), whole[2].get_weights()):
        np.testing.assert_array_equal(found, expected)


def test_weights_that_are_no_numbers_are_told_before_a_row_is_written(tmp_path):
    model = _Classifier()
    # The last layer's: on some processors a relu makes 0 of NaN.
    last = model.layers[-1].kernel
    last.assign(np.full(last.shape, np.nan, np.float32))
    with pytest.raises(Diverged, match=r"loss became nan in epoch 1: .* newest None"):
        _train(tmp_path, model=model)
    assert not (tmp_path / "metrics.jsonl").exists()
    assert not (tmp_path / "checkpoints").exists()
