"""A training goes on from its checkpoint as if nothing had happened."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import WarmupCosineDecay, make_optimizer
from simclr_tf.training import RunFolderError
from simclr_tf.training.checkpoints import Checkpoints, newest_state
from simclr_tf.training.precision import policy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batches():
    """The batches of five steps: 16 pairs of views with labels each."""
    generator = np.random.default_rng(0)
    views = generator.uniform(size=[5 * 16, 2, 16, 16, 3]).astype("float32")
    labels = np.arange(5 * 16, dtype=np.int32) % 10
    data = {"views": views, "label": labels}
    return tf.data.Dataset.from_tensor_slices(data).batch(16, drop_remainder=True)


def _model(optimizer, precision, seed):
    tf.keras.utils.set_random_seed(seed)
    with policy(precision):
        encoder = tf.keras.Sequential(
            [
                tf.keras.Input([16, 16, 3]),
                tf.keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
                tf.keras.layers.BatchNormalization(),
                tf.keras.layers.ReLU(),
                tf.keras.layers.GlobalAveragePooling2D(),
            ]
        )
        head = ProjectionHead(num_layers=2, out_dim=6)
        model = SimCLR(encoder, head, num_classes=10)
        model.build((None, 16, 16, 3))
    rate = WarmupCosineDecay(0.05, total_steps=8, warmup_steps=3)
    try:
        made = make_optimizer(optimizer, rate, weight_decay=1e-3)
        if precision == "float16":
            # From Keras' first scale on, as many steps as here would overflow.
            made = tf.keras.mixed_precision.LossScaleOptimizer(made, initial_scale=4.0)
        model.compile(made)
    except ValueError as error:  # The newer stack has no LAMB.
        assert optimizer == "lamb"
        pytest.skip(str(error))
    return model


def _train(model, batches, first, last):
    train, batches = model.make_train_function(), iter(batches.skip(first))
    for _ in range(first, last):
        train(batches)


def _state(model):
    """Weights, optimizer state and running means, which all have to come back."""
    optimizer = model.optimizer.variables
    if hasattr(model.optimizer, "get_slot_names"):  # Their order is no one's promise.
        optimizer = [model.optimizer.iterations] + [
            model.optimizer.get_slot(variable, name)
            for name in model.optimizer.get_slot_names()
            for variable in model.trainable_variables
        ]
    metrics = [value for metric in model.metrics for value in metric.variables]
    groups = {"weights": model.variables, "optimizer": optimizer, "metrics": metrics}
    return {
        name: [variable.numpy() for variable in variables]
        for name, variables in groups.items()
    }


def _same(state, other):
    return all(
        np.array_equal(value, again)
        for name in state
        for value, again in zip(state[name], other[name])
    )


@pytest.mark.parametrize(
    ("optimizer", "precision"),
    [
        ("lars", "float32"),
        ("sgd", "float16"),
        pytest.param("sgd", "float32", marks=pytest.mark.exhaustive),
        pytest.param("adamw", "float32", marks=pytest.mark.exhaustive),
        pytest.param("lamb", "float32", marks=pytest.mark.exhaustive),
        pytest.param("sgd", "bfloat16", marks=pytest.mark.exhaustive),
    ],
)
def test_going_on_equals_never_having_stopped(batches, tmp_path, optimizer, precision):
    """Stopped after 3 steps of 5, in mid-epoch and in the warm-up."""
    model = _model(optimizer, precision, seed=0)
    checkpoints = Checkpoints(str(tmp_path), model)
    assert checkpoints.restore() == (0, 0.0)
    _train(model, batches, 0, 3)
    checkpoints.save(3, 12.5)
    stopped = _state(model)
    _train(model, batches, 3, 5)
    whole = _state(model)
    for before, after in zip(stopped["weights"], whole["weights"]):
        assert not np.array_equal(before, after)

    again = _model(optimizer, precision, seed=1)
    assert not _same(_state(again), stopped)
    assert Checkpoints(str(tmp_path), again).restore() == (3, 12.5)
    _train(again, batches, 3, 5)
    resumed = _state(again)
    assert not _same(resumed, stopped)
    for name, values in whole.items():
        assert len(values) == len(resumed[name]) > 0
        for value, other in zip(values, resumed[name]):
            np.testing.assert_array_equal(value, other, err_msg=name)


def _grow(model):
    for variable in model.trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    return model.trainable_variables[0].numpy()


def test_the_newest_two_states_are_kept_and_the_newest_restored(tmp_path):
    model = _model("sgd", "float32", seed=0)
    checkpoints = Checkpoints(str(tmp_path), model)
    kernels = {}
    for step in (10, 20, 30):
        kernels[step] = _grow(model)
        checkpoints.save(step, step / 2)
    kept = sorted(path.name for path in tmp_path.glob("*.index"))
    assert kept == ["ckpt-20.index", "ckpt-30.index"]
    # TensorFlow's own functions find them too.
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "ckpt-30")

    again = _model("sgd", "float32", seed=1)
    assert Checkpoints(str(tmp_path), again).restore() == (30, 15.0)
    np.testing.assert_array_equal(again.trainable_variables[0], kernels[30])


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, part):
    model = _model("sgd", "float32", seed=0)
    checkpoints = Checkpoints(str(tmp_path), model)
    kernels = {}
    for step in (10, 20):
        kernels[step] = _grow(model)
        checkpoints.save(step, 0.0)
    path = tmp_path / f"ckpt-20.{part}"
    path.write_bytes(path.read_bytes()[:-100])
    said = []
    assert newest_state(str(tmp_path), said.append) == 10
    (line,) = said
    assert f"{tmp_path / 'ckpt-20'} is damaged" in line
    assert "after step 10" in line

    again = Checkpoints(str(tmp_path), model)
    assert again.restore(10) == (10, 0.0)
    np.testing.assert_array_equal(model.trainable_variables[0], kernels[10])
    # The damaged state neither stays nor pushes a good one out.
    again.save(15, 0.0)
    kept = sorted(path.name for path in tmp_path.glob("*.index"))
    assert kept == ["ckpt-10.index", "ckpt-15.index"]
    assert newest_state(str(tmp_path), said.append) == 15


def test_where_all_states_are_damaged_each_is_named(tmp_path):
    checkpoints = Checkpoints(str(tmp_path), _model("sgd", "float32", seed=0))
    for step in (10, 20):
        checkpoints.save(step, 0.0)
        (tmp_path / f"ckpt-{step}.index").write_bytes(b"")
    with pytest.raises(RunFolderError, match=r"ckpt-20 is damaged.*ckpt-10 is damaged"):
        newest_state(str(tmp_path))


def test_what_a_killed_save_left_is_passed_over_and_removed(tmp_path):
    model = _model("sgd", "float32", seed=0)
    checkpoints = Checkpoints(str(tmp_path), model)
    checkpoints.save(10, 0.0)
    (tmp_path / "unfinished-20.index").write_bytes(b"half")
    (tmp_path / "unfinished-20_temp").mkdir()
    (tmp_path / "unfinished-20_temp" / "part").write_bytes(b"half")
    assert newest_state(str(tmp_path)) == 10
    checkpoints.save(20, 0.0)
    assert [path for path in tmp_path.iterdir() if "unfinished" in path.name] == []
    assert newest_state(str(tmp_path)) == 20


def test_a_file_in_the_folders_place_is_a_mistake(tmp_path):
    path = tmp_path / "checkpoints"
    path.write_text("")
    with pytest.raises(
        RunFolderError, match=r"Cannot read .*checkpoints: it is a file"
    ):
        newest_state(str(path))
    model = _model("sgd", "float32", seed=0)
    with pytest.raises(RunFolderError, match=r"Cannot write .*checkpoints"):
        Checkpoints(str(path), model).save(1, 0.0)


def test_a_state_of_another_model_is_not_taken_in_part(tmp_path):
    Checkpoints(str(tmp_path), _model("sgd", "float32", seed=0)).save(1, 0.0)
    with pytest.raises(ValueError, match="ckpt-1 holds the state of another model"):
        Checkpoints(str(tmp_path), _model("adamw", "float32", seed=0)).restore()
