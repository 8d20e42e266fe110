"""The training step of a recipe as the program that each TPU core would run."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

from simclr_tf.errors import UserError
from simclr_tf.image_size import height_and_width, longer_side
from simclr_tf.model import Learner
from simclr_tf.tpu_check.fake_tpu import replica_step, to_hlo, tpu_strategy
from simclr_tf.training.build import build_method, build_model, build_optimizer
from simclr_tf.training.recipe import ResolvedRecipe

# The length of a schedule is data of the program, not of its shape.
_STEPS_PER_EPOCH = 1000
# Smaller images are commonly in arrays of one size, larger ones in files.
_ARRAYS_UP_TO = 64


@dataclasses.dataclass(frozen=True)
class Array:
    """An argument or a result: its name, shape, and NumPy dtype's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape)) * tf.as_dtype(self.dtype).size


@dataclasses.dataclass(frozen=True)
class Variable(Array):
    """A variable of the program.

    Attributes:
      role: "trainable", "statistics" (other weights of the model), "optimizer" or
        "metric".
      argument: its place among the program's arguments.
      output: the place of its new value among the program's results, or None where
        the step leaves it as it is.
    """

    role: str
    argument: int
    output: int | None


@dataclasses.dataclass(frozen=True)
class Program:
    """What one core runs in a step.

    Arguments are the inputs, then the variables; results are the outputs, then the
    new values of the variables that the step changes.

    Attributes:
      hlo: a serialised `HloModuleProto`.
      replicas: cores that run it together.
      inputs: what a core is fed, in order.
      outputs: what it gives beside new values of variables, in order.
      variables: in the order of the arguments.
      sources: the variables themselves, in the same order.
      operations: how many operations of each type were traced.
    """

    hlo: bytes
    replicas: int
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    variables: tuple[Variable, ...]
    sources: tuple[tf.Variable, ...]
    operations: Mapping[str, int]

    def save(self, folder: str) -> None:
        """Writes `program.hlo.pb` and `program.json` into a folder."""
        manifest = {
            "replicas": self.replicas,
            "inputs": [dataclasses.asdict(array) for array in self.inputs],
            "outputs": [dataclasses.asdict(array) for array in self.outputs],
            "variables": [dataclasses.asdict(array) for array in self.variables],
        }
        with open(os.path.join(folder, "program.hlo.pb"), "wb") as file:
            file.write(self.hlo)
        with open(os.path.join(folder, "program.json"), "w") as file:
            json.dump(manifest, file)


def recipe_program(
    recipe: ResolvedRecipe,
    replicas: int,
    *,
    input_size: int | None = None,
    num_classes: int | None = None,
    make_model: Callable[..., Learner] = build_model,
) -> Program:
    """The program of a recipe's training step.

    Args:
      recipe: all settings; its `batch_size` is that of all cores together. With
        `augment_on="host"` the step is fed float32 views, with "device" seeds and
        uint8 crops, or images, of which it makes the views.
      replicas: cores that take a step together; they must divide the batch.
      input_size: side in pixels of the images fed to a step that crops them. By
        default views above 64 px are made of crops that the host cuts from files, and
        smaller ones of images of their own size.
      num_classes: classes of the online probe, or None for no probe.
      make_model: makes the model, as `build_model` does from its arguments.

    Raises:
      UserError: where the cores do not divide the batch, or a method that classifies
        is not given num_classes.
      StepRefused: where the step holds what no TPU runs.
    """
    parts = replicas * recipe.micro_batches
    if recipe.batch_size % parts:
        below = recipe.batch_size // parts * parts
        pieces = f", {recipe.micro_batches} micro batches" * (recipe.micro_batches > 1)
        raise UserError(
            f"batch_size {recipe.batch_size} must be a multiple of the {replicas} "
            f"cores{pieces}, such as {below or parts} or {below + parts}."
        )
    method = build_method(recipe)
    if method.classifies and num_classes is None:
        raise UserError(
            f"method {recipe.method} classifies images: num_classes must say how many "
            "classes there are."
        )
    local_batch = recipe.batch_size // replicas
    specs = step_inputs(recipe, local_batch, input_size)
    if num_classes is not None or method.learns_from_labels:
        specs["label"] = tf.TensorSpec([local_batch], tf.int32)
    strategy = tpu_strategy(replicas)
    with strategy.scope():
        model = make_model(recipe, num_classes=num_classes)
        model.compile(build_optimizer(recipe, _STEPS_PER_EPOCH))
    return export_step(strategy, model, specs)


def step_inputs(
    recipe: ResolvedRecipe, local_batch: int, input_size: int | None = None
) -> dict[str, tf.TensorSpec]:
    """What `Learner.train_step` is fed on one core; see `recipe_program`."""
    view = [*height_and_width(recipe.image_size), recipe.channels]
    method = build_method(recipe)
    if recipe.augment_on == "device":
        pair = tf.TensorSpec([local_batch, 2], tf.int32)
        of_files = recipe.channels == 3 and recipe.value_range is None
        large = longer_side(recipe.image_size) > _ARRAYS_UP_TO
        if input_size is None and of_files and large:
            crops = [local_batch, method.drawn, *view]
            return {
                "crops": tf.TensorSpec(crops, tf.uint8),
                "seeds": pair,
                "size": pair,
            }
        sides = height_and_width(input_size or recipe.image_size)
        dtype = tf.uint8 if recipe.value_range is None else tf.float32
        image = tf.TensorSpec([local_batch, *sides, recipe.channels], dtype)
        return {"image": image, "seeds": pair}
    drawn = tf.TensorSpec([local_batch, method.drawn, *view], tf.float32)
    seeds = tf.TensorSpec([local_batch, 2], tf.int32)
    arranged = tf.function(method.arrange).get_concrete_function(drawn, seeds)
    specs = {"views": tf.TensorSpec(arranged.output_shapes, tf.float32)}
    return {**specs, "seeds": seeds} if method.draws else specs


def export_step(
    strategy: tf.distribute.TPUStrategy,
    model: Learner,
    specs: Mapping[str, tf.TensorSpec],
) -> Program:
    """The program of a compiled model's `train_step`.

    Args:
      strategy: of `tpu_strategy`; the model was made and compiled in its scope.
      model: its `train_step` is traced.
      specs: what the step is fed on one core, a dict that `train_step` takes.

    Raises:
      StepRefused: where the step holds what no TPU runs.
    """
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)
    names = list(specs)

    def step(*arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.train_step(dict(zip(names, arrays)))

    function = replica_step(strategy, step)
    flat = tuple(specs.values())
    traced = function.get_concrete_function(*flat)
    hlo = to_hlo(function, flat)
    inputs = tuple(_array(name, spec) for name, spec in specs.items())
    # A traced function gives what a dict holds in the order of its sorted keys.
    outputs = tuple(
        _array(name, tensor)
        for name, tensor in sorted(traced.structured_outputs.items())
    )
    found = _by_handle(model)
    variables, sources = [], []
    output = len(outputs)
    changed = _changed(traced.graph)
    captures = zip(traced.captured_inputs, traced.inputs[len(inputs) :])
    for argument, (outer, inner) in enumerate(captures, len(inputs)):
        if id(outer) not in found:
            raise ValueError(
                f"The step uses {inner.name}, which is no variable of the model, its "
                "optimizer or its metrics."
            )
        role, variable = found[id(outer)]
        is_changed = inner.name in changed
        variables.append(
            Variable(
                variable.name,
                tuple(variable.shape),
                variable.dtype.name,
                role,
                argument,
                output if is_changed else None,
            )
        )
        sources.append(variable)
        output += is_changed
    program = Program(
        hlo=hlo,
        replicas=strategy.num_replicas_in_sync,
        inputs=inputs,
        outputs=outputs,
        variables=tuple(variables),
        sources=tuple(sources),
        operations=collections.Counter(op.type for op in traced.graph.get_operations()),
    )
    _check(program)
    return program


def _array(name: str, value: tf.TensorSpec | tf.Tensor) -> Array:
    return Array(name, tuple(value.shape), value.dtype.name)


def _by_handle(model: Learner) -> dict[int, tuple[str, tf.Variable]]:
    """Roles and variables, by the identity of what a traced graph captures."""
    groups = {
        "trainable": model.trainable_variables,
        "statistics": model.non_trainable_variables,
        # The learning rate is a variable that `variables` leaves out.
        "optimizer": [*model.optimizer.variables, *_attributes(model.optimizer)],
        "metric": [v for metric in model.metrics for v in metric.variables],
    }
    found: dict[int, tuple[str, tf.Variable]] = {}
    for role, variables in groups.items():
        for variable in variables:
            local = getattr(variable, "values", (variable,))[0]
            found.setdefault(id(local.handle), (role, local))
    return found


def _attributes(optimizer: tf.keras.optimizers.Optimizer) -> list[tf.Variable]:
    return [v for v in vars(optimizer).values() if isinstance(v, tf.Variable)]


def _changed(graph: tf.Graph) -> set[str]:
    """Names of the resources that a graph's operations do more than read."""
    return {
        tensor.name
        for operation in graph.get_operations()
        for tensor in operation.inputs
        if tensor.dtype == tf.resource and operation.type != "ReadVariableOp"
    }


def _check(program: Program) -> None:
    """Raises ValueError unless arguments and results are those of the HLO."""
    shape = hlo_pb2.HloModuleProto.FromString(program.hlo).host_program_shape
    updated = [v for v in program.variables if v.output is not None]
    for kind, ours, theirs in (
        ("arguments", [*program.inputs, *program.variables], shape.parameters),
        ("results", [*program.outputs, *updated], shape.result.tuple_shapes),
    ):
        if [array.shape for array in ours] != [tuple(s.dimensions) for s in theirs]:
            raise ValueError(
                f"The {kind} of the exported program, {len(theirs)}, are not those of "
                f"the traced step, {len(ours)}."
            )


def feed_bytes(inputs: Sequence[Array]) -> int:
    """Bytes that a core is fed in a step."""
    return sum(array.bytes for array in inputs)
