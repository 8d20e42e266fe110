"""What is exported is what a TPUStrategy replicates; what no TPU runs is refused."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow.compiler.xla import xla_data_pb2
from tensorflow.compiler.xla.service import hlo_pb2

from simclr_tf.loss import nt_xent
from simclr_tf.tpu_check.fake_tpu import (
    StepRefused,
    replica_step,
    to_hlo,
    tpu_strategy,
)
from tests.tpu_check import fidelity_case

pytestmark = pytest.mark.slow

needs_tf_2_15 = pytest.mark.skipif(
    not tf.__version__.startswith("2.15."), reason="needs TensorFlow 2.15"
)
VECTOR = [tf.TensorSpec([4], tf.float32)]


# What frames a computation: the way its arguments, results and replica come to it.
FRAME = {
    *("Placeholder", "Identity", "NoOp", "XlaReplicaId", "TPUReplicateMetadata"),
}


@needs_tf_2_15
@pytest.mark.exhaustive
def test_the_exported_body_is_the_one_that_strategy_run_replicates():
    done = subprocess.run(
        [sys.executable, fidelity_case.__file__, "resnet18x0.125-sk"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    replicated, exported = found["replicated"], found["exported"]
    assert exported["CrossReplicaSum"] > 100
    assert sum(exported.values()) > 5000
    for name in {*replicated, *exported} - FRAME:
        assert exported.get(name) == replicated.get(name), name
    assert found["same_with_one_copy"]


@needs_tf_2_15
def test_a_strategy_says_it_is_one_of_tpus():
    strategy = tpu_strategy(32)
    assert isinstance(strategy, tf.distribute.TPUStrategy)
    assert strategy.num_replicas_in_sync == 32


@needs_tf_2_15
def test_a_sum_over_replicas_is_exported():
    strategy = tpu_strategy(4)

    def step(x):
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, x)

    assert b"all-reduce" in to_hlo(replica_step(strategy, step), VECTOR)


@needs_tf_2_15
def test_similarities_are_multiplied_in_full_precision():
    specs = [tf.TensorSpec([8, 16], tf.float32)] * 2

    def step(z_a, z_b):
        with tf.GradientTape() as tape:
            tape.watch([z_a, z_b])
            loss = nt_xent(z_a, z_b)
        return tape.gradient(loss, [z_a, z_b])

    program = to_hlo(replica_step(tpu_strategy(4), step), specs)
    products = [
        list(instruction.precision_config.operand_precision)
        for computation in hlo_pb2.HloModuleProto.FromString(program).computations
        for instruction in computation.instructions
        if instruction.opcode == "dot"
    ]
    highest = xla_data_pb2.PrecisionConfig.HIGHEST
    assert len(products) == 3
    assert all(precision == [highest] * 2 for precision in products)


def host_callback(x):
    return tf.py_function(lambda a: a, [x], tf.float32)


def numpy_callback(x):
    return tf.numpy_function(lambda a: a, [x], tf.float32)


def summary(x):
    tf.raw_ops.AudioSummaryV2(tag="a", tensor=tf.ones([1, 4]), sample_rate=1.0)
    return x


def file_read(x):
    return x + tf.cast(tf.strings.length(tf.io.read_file("nowhere")), tf.float32)


@needs_tf_2_15
@pytest.mark.parametrize(
    ("step", "operation"),
    [
        (host_callback, "EagerPyFunc"),
        (numpy_callback, "PyFunc"),
        (summary, "AudioSummaryV2"),
        (file_read, "ReadFile"),
    ],
)
def test_what_no_tpu_runs_is_refused_by_name(step, operation):
    with pytest.raises(StepRefused, match=rf"that no TPU runs: .*{operation}"):
        to_hlo(replica_step(tpu_strategy(2), step), VECTOR)


def test_another_tensorflow_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(tf, "__version__", "2.21.0")
    with pytest.raises(ValueError, match=r"needs TensorFlow 2\.15 and this is 2\.21"):
        tpu_strategy(2)
