"""A real TPUStrategy on a machine without a TPU, to trace what a TPU would run.

TensorFlow makes a `TPUStrategy` only where a TPU answers. Here a real one is made
whose cores are this machine's CPU, so that variables, replica contexts and
collectives are those of a TPU; it can trace a step, it cannot run one. It leans on
private parts of TensorFlow 2.15; later versions have lost one it needs.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.python.distribute import tpu_strategy as tpu_strategy_lib
from tensorflow.python.eager import context as eager_context
from tensorflow.python.ops import control_flow_ops
from tensorflow.python.tpu import tpu_function, tpu_replication, tpu_system_metadata

from simclr_tf.errors import UserError

_CPU = "/job:localhost/replica:0/task:0/device:CPU:"
# Operations that TensorFlow itself does not place on a TPU.
_UNSUPPORTED = frozenset(
    [*tpu_replication._DENYLISTED_OPS, *tpu_replication._UNSUPPORTED_OPS]
)


class StepRefused(UserError):
    """A step holds what no TPU runs; the message names it."""


class _Device:
    device_type = "TPU"

    def __init__(self, place: int) -> None:
        self.name = f"/job:localhost/replica:0/task:0/device:TPU:{place}"


class _Resolver:
    """Stands for the resolver that would find a TPU system."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def get_tpu_system_metadata(self) -> tpu_system_metadata.TPUSystemMetadata:
        return tpu_system_metadata.TPUSystemMetadata(
            num_cores=self._replicas,
            num_hosts=1,
            num_of_cores_per_host=self._replicas,
            topology=None,
            devices=[_Device(place) for place in range(self._replicas)],
        )

    def cluster_spec(self) -> None:
        return None


def tpu_strategy(replicas: int, *, copies: int = 1) -> tf.distribute.TPUStrategy:
    """A `TPUStrategy` of `replicas` cores, for tracing alone.

    Args:
      replicas: cores that take a step together.
      copies: how many of them hold a copy of the variables in this machine's memory.
        All copies are the same, and one is enough to trace the step; `strategy.run`
        asks for `replicas`, each on a logical CPU of its own.

    Raises:
      UserError: where this is not TensorFlow 2.15.
    """
    if not tf.__version__.startswith("2.15."):
        raise UserError(
            f"tpu_check needs TensorFlow 2.15 and this is {tf.__version__}, which no "
            "longer exports the sums over replicas. Use Python 3.9 to 3.11."
        )
    # As `make_strategy` has it.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    strategy = tpu_strategy_lib.TPUStrategyV2(_Resolver(replicas))
    extended = strategy.extended
    devices = [f"{_CPU}{place}" for place in range(copies)]
    extended._tpu_devices = np.array([[device] for device in devices], dtype=object)
    extended._host_device = devices[0]
    for workers, values in (
        (extended._device_input_worker_devices, devices),
        (extended._host_input_worker_devices, devices[:1] * copies),
    ):
        workers.clear()
        workers[devices[0]] = values
    strategy._enable_packed_variable_in_eager_mode = False
    return strategy


class _ReplicaBody(tpu_replication.TPUReplicateContext):
    """The graph context of a step on a TPU, without the marks of replication.

    Notes operations that TensorFlow refuses on TPUs.
    """

    def __init__(self, replicas: int, refused: list[tf.Operation]) -> None:
        super().__init__("cluster", replicas, control_flow_ops.no_op(name="pivot"))
        self.refused = refused

    def get_replicated_var_handle(
        self,
        name: str,
        handle_id: Any,
        variables: list[tf.Variable],
        *_: Any,
        **__: Any,
    ) -> tf.Tensor:
        return variables[0].handle

    def AddOp(self, op: tf.Operation) -> None:
        if op.type in _UNSUPPORTED:
            self.refused.append(op)

    def AddInnerOp(self, op: tf.Operation) -> None:
        self.AddOp(op)

    def AddValue(self, value: tf.Tensor) -> tf.Tensor:
        return value

    def Enter(self) -> None:
        control_flow_ops.ControlFlowContext.Enter(self)


def replica_step(strategy: tf.distribute.TPUStrategy, step: Callable[..., Any]) -> Any:
    """The body that `strategy.run(step)` would replicate, as a function to trace.

    Args:
      strategy: of `tpu_strategy`.
      step: what one replica does; called in the strategy's replica context.

    Returns:
      A `tf.function` of `step`'s arguments, for `get_concrete_function` and `to_hlo`.
    """
    replicas = strategy.num_replicas_in_sync
    refused: list[tf.Operation] = []

    def body(*arguments: Any) -> Any:
        place = tf.cast(xla.replica_id(), tf.int32)
        context = _ReplicaBody(replicas, refused)
        context.Enter()
        try:
            with (
                strategy.scope(),
                tpu_function.tpu_shard_context(replicas),
                tpu_strategy_lib._TPUReplicaContext(
                    strategy, replica_id_in_sync_group=place
                ),
            ):
                return step(*arguments)
        finally:
            context.Exit()

    function = tf.function(body, jit_compile=True)
    function.refused = refused
    return function


@contextlib.contextmanager
def _collectives_lowered() -> Iterator[None]:
    """Without the MLIR bridge the sum over replicas has no lowering to HLO."""
    context = eager_context.context()
    enabled = context.enable_mlir_bridge == 1
    context.enable_mlir_bridge = True
    try:
        yield
    finally:
        context.enable_mlir_bridge = enabled


def to_hlo(function: Any, specs: Sequence[tf.TensorSpec]) -> bytes:
    """The HLO of a function of `replica_step`, a serialised `HloModuleProto`.

    Raises:
      StepRefused: where an operation has no lowering to a compiled program.
    """
    function.get_concrete_function(*specs)
    if function.refused:
        raise StepRefused(_refusal((op.type, op.name) for op in function.refused))
    try:
        with _collectives_lowered():
            return function.experimental_get_compiler_ir(*specs)(
                stage="hlo_serialized", device_name=f"{_CPU}0"
            )
    except (tf.errors.OpError, ValueError) as error:
        raise StepRefused(_named(str(error))) from error


def _named(message: str) -> str:
    """The operations that XLA's account of a refusal names, or all of the account."""
    found = re.findall(r"(\w+) \(No registered .*?\{\{node ([^}]+)\}\}", message)
    found += re.findall(r"Could not legalize op: tf\.(\w+)()", message)
    if not found:
        return f"the step has no compiled form: {' '.join(message.split())[:300]}"
    return _refusal(found)


def _refusal(operations: Iterable[tuple[str, str]]) -> str:
    named = sorted({f"{kind} ({node})" if node else kind for kind, node in operations})
    return f"the step holds operations that no TPU runs: {', '.join(named)}."
