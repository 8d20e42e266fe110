"""The devices asked for are used, and told; those that are not there are named."""

import time

import pytest
import tensorflow as tf

from simclr_tf.distribution import make_strategy


def _made(strategy, **arguments):
    """What `make_strategy` gives and says, where the devices are cut already."""
    said = []
    made = make_strategy(say=said.append, **arguments)
    return [type(made).__name__, made.num_replicas_in_sync, *said]


def test_auto_takes_the_one_device_there_is():
    said = []
    strategy = make_strategy(say=said.append)
    assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
    assert said == ["Devices: 1 replica (one); found no GPUs here, 1 host"]


def test_float32_products_are_float32_on_every_device():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    make_strategy(say=lambda _: None)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 4")
def test_auto_takes_all_logical_devices(replicas):
    made = replicas(4).run(_made, logical_devices=4)
    assert made[:2] == ["MirroredStrategy", 4]
    assert made[2].startswith("Devices: 4 replicas (mirrored)")


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 2")
def test_one_device_of_many(replicas):
    made = replicas(2).run(_made, name="one", logical_devices=2)
    assert made[:2] == ["OneDeviceStrategy", 1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "mirrored"}, "found no GPU"),
        ({"name": "multiworker"}, "needs TF_CONFIG"),
        ({"name": "tpu"}, "No TPU answers as 'local'"),
        ({"tpu": "my-tpu"}, "No TPU answers as 'my-tpu'"),
        pytest.param(
            {"tpu": "grpc://localhost:1"},
            "No TPU answers as 'grpc://localhost:1'",
            marks=pytest.mark.exhaustive,  # It waits for ten seconds.
        ),
        ({"name": "one", "tpu": "local"}, "strategy must be tpu, got one"),
        ({"name": "several"}, "strategy must be one of"),
        ({"logical_devices": 0}, "at least 1, got 0"),
    ],
)
def test_what_is_not_there_is_told_within_seconds(arguments, told):
    began = time.monotonic()
    with pytest.raises(ValueError, match=told):
        make_strategy(**arguments)
    assert time.monotonic() - began < 20


def test_devices_already_in_use_cannot_be_cut():
    tf.constant(0)
    if len(tf.config.list_logical_devices("CPU")) == 3:
        pytest.skip("three is what there is")
    with pytest.raises(ValueError, match="before TensorFlow first uses"):
        make_strategy(logical_devices=3)
