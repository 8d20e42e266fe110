"""Which devices a run uses, by the names users give."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.distribution.addresses import require_answer
from simclr_tf.distribution.cluster import Cluster, read_cluster, wait_for_workers
from simclr_tf.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multiworker", "tpu")

# Seconds until a TPU's address must have answered.
_TPU_PATIENCE = 10.0


def make_strategy(
    name: str = "auto",
    *,
    tpu: str | None = None,
    logical_devices: int | None = None,
    timeout: float = 60.0,
    say: Callable[[str], None] = messages.say,
) -> tf.distribute.Strategy:
    """A `tf.distribute` strategy; call it before TensorFlow has used a device.

    It also makes float32 products be computed in float32. By default TPUs multiply in
    bfloat16 and GPUs in TF32, also where the loss computes similarities. Layers of
    another precision keep theirs.

    Args:
      name: "one" device; "mirrored" over this machine's GPUs, or over logical CPUs;
        "multiworker" over the hosts of TF_CONFIG; "tpu"; or "auto", the first that
        is there of a named TPU, a TF_CONFIG of several workers, several GPUs (or
        logical devices), one device.
      tpu: a Cloud TPU's name, its address (grpc://…), or "local" on a TPU VM.
      logical_devices: cut the CPU into so many devices, for development and tests.
      timeout: seconds to wait for the other workers of TF_CONFIG.
      say: called with a line on what was found and chosen.

    Raises:
      UserError: where what was asked for is not there; the message says what to do.
    """
    if name not in STRATEGIES:
        raise UserError(f"strategy must be one of {STRATEGIES}, got {name!r}.")
    if logical_devices is not None:
        _cut_cpu(logical_devices)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    cluster = read_cluster()
    gpus = tf.config.list_physical_devices("GPU")
    kind = name
    if name == "auto":
        kind = _choose(tpu, cluster, max(len(gpus), logical_devices or 1))
    if tpu is not None and kind != "tpu":
        raise UserError(f"A TPU is named, {tpu}: strategy must be tpu, got {name}.")
    if kind == "tpu":
        strategy = _tpu(tpu or "local")
    elif kind == "multiworker":
        strategy = _multiworker(cluster, timeout, say)
    elif kind == "mirrored":
        strategy = _mirrored(len(gpus), logical_devices)
    else:
        strategy = tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
    say(_described(name, kind, strategy, len(gpus), cluster))
    return strategy


def _choose(tpu: str | None, cluster: Cluster | None, devices: int) -> str:
    if tpu is not None:
        return "tpu"
    if cluster is not None and len(cluster.workers) > 1:
        return "multiworker"
    return "mirrored" if devices > 1 else "one"


def _cut_cpu(count: int) -> None:
    if count < 1:
        raise UserError(f"logical_devices must be at least 1, got {count}.")
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise UserError(
            "logical_devices must be set before TensorFlow first uses a device."
        ) from error


def _mirrored(gpus: int, logical_devices: int | None) -> tf.distribute.Strategy:
    if gpus and logical_devices is None:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(gpus)])
    if logical_devices is None:
        raise UserError(
            "strategy=mirrored found no GPU. Use strategy=one, or logical_devices=2 "
            "to cut the CPU into two replicas, for development."
        )
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(logical_devices)])


def _multiworker(
    cluster: Cluster | None, timeout: float, say: Callable[[str], None]
) -> tf.distribute.Strategy:
    if cluster is None:
        raise UserError(
            "strategy=multiworker needs TF_CONFIG, which names the hosts: "
            'TF_CONFIG=\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\' on host0, index 1 on host1.'
        )
    wait_for_workers(cluster, timeout, say)
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu(name: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            # TensorFlow would wait for ever for an address that does not answer.
            require_answer(resolver.master(), _TPU_PATIENCE)
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        text = str(getattr(error, "message", error)).splitlines()[0]
        raise UserError(
            f"No TPU answers as {name!r} ({text[:200]}). On a TPU VM, install the "
            "TensorFlow wheel for TPUs and use tpu=local; elsewhere give the TPU's "
            "name or grpc://HOST:8470; without a TPU use another strategy."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _described(
    name: str,
    kind: str,
    strategy: tf.distribute.Strategy,
    gpus: int,
    cluster: Cluster | None,
) -> str:
    replicas = strategy.num_replicas_in_sync
    text = f"Devices: {replicas} replica{'s' if replicas > 1 else ''} ({kind})"
    if cluster is not None and len(cluster.workers) > 1:
        text += f", worker {cluster.index} of {len(cluster.workers)}"
    if name == "auto":
        hosts = len(cluster.workers) if cluster is not None else 1
        text += f"; found {gpus or 'no'} GPU{'s' if gpus != 1 else ''} here, "
        text += f"{hosts} host{'s' if hosts > 1 else ''}"
    return text
