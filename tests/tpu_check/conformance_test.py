"""Eight replicas' TPU program, run on simulated devices, against one device.

The program is that of the TPUStrategy step, with its collectives; one device sees
the whole batch at once. They start from the same weights and see the same batches.
"""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.tpu_check.fake_tpu import tpu_strategy
from simclr_tf.tpu_check.program import Program, export_step
from tests.distribution import train_case
from tests.tpu_check.simulated_replicas import run_on_cpus

pytestmark = pytest.mark.slow

REPLICAS = 8
LOCAL_BATCH = train_case.GLOBAL_BATCH // REPLICAS
SIZE = train_case.IMAGE_SIZE


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Batches of noise whose means differ, for 10 steps."""
    rng = np.random.default_rng(0)
    count = train_case.STEPS * train_case.GLOBAL_BATCH
    noise = rng.integers(0, 128, [count, SIZE, SIZE, 3])
    shift = rng.integers(0, 128, [count, 1, 1, 3])
    path = tmp_path_factory.mktemp("images") / "images.npz"
    labels = rng.integers(0, 10, count)
    np.savez(path, x_train=(noise + shift).astype(np.uint8), y_train=labels)
    return path


def case_of(images, encoder="plain", optimizer="sgd", **settings):
    return train_case.Case(
        str(images), encoder=encoder, optimizer=optimizer, **settings
    )


def batches_of(case, steps):
    """The global batches as each replica gets its share, `[steps, replicas, …]`."""
    found = collections.defaultdict(list)
    for batch in train_case.dataset(case, steps):
        for name, array in batch.items():
            found[name].append(np.split(array.numpy(), REPLICAS))
    return {name: np.array(arrays) for name, arrays in found.items()}


def final(result, program: Program, variables):
    """All variables after the last step as one vector, the same on every replica."""
    places = {id(source): place for place, source in enumerate(program.sources)}
    parts = []
    for variable in variables:
        values = result[f"variable_{places[id(variable.values[0])]}"]
        assert all(np.array_equal(values[0], other) for other in values[1:])
        parts.append(values[0].ravel().astype(np.float64))
    return np.concatenate(parts)


def export(case, make_optimizer):
    """The model, and the program of its step on eight TPU replicas."""
    strategy = tpu_strategy(REPLICAS)
    with strategy.scope():
        model = train_case.make_model(case)
        model.compile(make_optimizer())
    inputs = {
        name: tf.TensorSpec([LOCAL_BATCH, *spec.shape[1:]], spec.dtype)
        for name, spec in train_case.dataset(case, 1).element_spec.items()
    }
    return model, export_step(strategy, model, inputs)


def steps(case, compiler, make_optimizer, count):
    """What `train_case.train` gives of the first steps."""
    model, program = export(case, make_optimizer)
    trainable = model.trainable_variables
    assert program.operations["CrossReplicaSum"] > len(trainable)
    before = [v.values[0].numpy().ravel() for v in trainable]
    batches = batches_of(case, count)
    result = run_on_cpus(compiler, program, batches, restart=["metric"])
    # Each replica's metrics are its own; Keras shows their mean.
    shown = {array.name: result[array.name].mean(axis=1) for array in program.outputs}
    return {
        **shown,
        "moved": np.concatenate(before) - final(result, program, trainable),
        "moving": final(result, program, model.non_trainable_variables),
        "weights": final(result, program, trainable),
    }


def first_step(case, compiler):
    """Loss, and the gradient: at rate 1 without momentum weights move by it."""
    found = steps(case, compiler, lambda: tf.keras.optimizers.SGD(1.0), 1)
    return {"loss": found["loss"], "gradient": found["moved"]}


def ten_steps(case, compiler):
    """What `train_case.train` gives, but for the gradient."""
    found = steps(
        case, compiler, lambda: train_case.make_optimizer(case), train_case.STEPS
    )
    del found["moved"]
    return found


def on_one_device(case):
    """The same steps on the whole batch, and sgd's first gradient."""
    return train_case.train(tf.distribute.OneDeviceStrategy("CPU:0"), case)


def distance(ours, theirs):
    """Relative, in the largest component."""
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("encoder", "blocks", "optimizer", "probe"),
    [
        ("tiny", (1,), "lars", True),
        ("vit", None, "sgd", False),
        pytest.param("plain", (1,), "lars", True, marks=pytest.mark.exhaustive),
        pytest.param("plain", (2, 1), "lars", True, marks=pytest.mark.exhaustive),
        pytest.param("selective", (1, 1), "sgd", False, marks=pytest.mark.exhaustive),
    ],
)
def test_ten_steps_in_float64_are_those_of_one_device(
    images, compiler, encoder, blocks, optimizer, probe
):
    tf.keras.backend.set_floatx("float64")
    case = case_of(images, encoder, optimizer, probe=probe, blocks=blocks)
    ours, theirs = ten_steps(case, compiler), on_one_device(case)
    if optimizer == "sgd":
        ours["gradient"] = first_step(case, compiler)["gradient"]
    assert set(ours) == set(theirs)
    assert len(ours["loss"]) == train_case.STEPS
    assert np.ptp(theirs["loss"]) > 1e-3
    for name, values in theirs.items():
        assert distance(ours[name], values) < 1e-9, name


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "method", ["supcon", "dcl", "rotation", "jigsaw", "supervised"]
)
def test_ten_steps_of_a_method_are_those_of_one_device(images, compiler, method):
    tf.keras.backend.set_floatx("float64")
    case = case_of(images, "tiny", method=method, unlabelled=5)
    ours, theirs = ten_steps(case, compiler), on_one_device(case)
    assert np.ptp(theirs["loss"]) > 1e-3
    for name, values in ours.items():
        assert distance(values, theirs[name]) < 1e-9, name


@pytest.mark.exhaustive
def test_micro_batches_of_replicas_are_those_of_one_device(images, compiler):
    """Piece k of each replica is piece k of the batch, where they lie in that order."""
    tf.keras.backend.set_floatx("float64")
    apart, together = (images.with_name(f"{x}.npz") for x in ("apart", "together"))
    with np.load(images) as arrays:
        seeds = np.arange(2 * len(arrays["y_train"]), dtype=np.int32)
        given = {**arrays, "seeds": seeds.reshape(-1, 2)}
    np.savez(apart, **given)
    places = np.arange(len(seeds) // 2).reshape([-1, REPLICAS, LOCAL_BATCH])
    places = np.swapaxes(places, 1, 2).ravel()
    np.savez(together, **{name: array[places] for name, array in given.items()})

    case = case_of(apart, micro_batches=LOCAL_BATCH)
    ours = ten_steps(case, compiler)
    theirs = on_one_device(dataclasses.replace(case, images=str(together)))
    assert len(ours["loss"]) == train_case.STEPS
    for name, values in ours.items():
        assert distance(values, theirs[name]) < 1e-9, name


@pytest.mark.exhaustive
def test_the_first_step_in_float32_is_that_of_one_device(images, compiler):
    case = case_of(images, floatx="float32")
    ours, theirs = first_step(case, compiler), on_one_device(case)
    assert abs(ours["loss"][0] / theirs["loss"][0] - 1.0) < 1e-4
    difference = np.linalg.norm(ours["gradient"] - theirs["gradient"])
    assert difference / np.linalg.norm(theirs["gradient"]) < 1e-4
