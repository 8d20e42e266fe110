"""Exports training steps for `run.py`: programs, a manifest, and what to check.

From the root of the checkout, with TensorFlow 2.15 and the environment of `simclr
tpu_check` (requirements-tpu-check.txt):

python -m tools.gpu_step.export --output=build/gpu_step
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import simclr_tf
from simclr_tf.model import Learner
from simclr_tf.tpu_check.program import (
    Program,
    recipe_program,
    step_inputs,
)
from simclr_tf.tpu_check.second_environment import find_compiler, run_script
from simclr_tf.training import ResolvedRecipe
from simclr_tf.training.build import build_optimizer
from tools.gpu_step.cases import Case, cases, computing_in
from tools.gpu_step.flops import model_flops

CHECKED_STEPS = 3
_TO_STABLEHLO = pathlib.Path(__file__).resolve().with_name("to_stablehlo.py")
# As `recipe_program` has it.
_STEPS_PER_EPOCH = 1000
_PEER_SETTINGS = (
    "encoder",
    "image_size",
    "batch_size",
    "head_layers",
    "head_out_dim",
    "temperature",
    "views",
    "momentum",
    "weight_decay",
)


def export(folder: pathlib.Path, names: Sequence[str], python: str) -> None:
    """Writes the cases of these names into a folder.

    Args:
      folder: is made; `manifest.json` there says what it holds.
      names: of `cases()`.
      python: of `find_compiler`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = cases()
    manifest = {
        "simclr_tf": simclr_tf.__version__,
        "tensorflow": tf.__version__,
        "cases": [export_case(known[name], folder, python) for name in names],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


def export_case(case: Case, folder: pathlib.Path, python: str) -> dict[str, Any]:
    """Writes one case, and says what `run.py` must know of it."""
    programs = {}
    for form in case.forms:
        name = f"{case.name}-{form.replace(' ', '-')}"
        began = time.monotonic()
        with computing_in(case.floatx):
            model, program = _program(case, form)
            _write(program, folder / name)
            if case.checked:
                write_check(case, form, model, program, folder / name / "check.npz")
        run_script(python, str(_TO_STABLEHLO), [f"--program={folder / name}"])
        size = sum(file.stat().st_size for file in (folder / name).iterdir()) / 2**20
        print(f"{name}: {size:.2f} MiB, {time.monotonic() - began:.0f} s", flush=True)
        programs[form] = name
    recipe = dataclasses.asdict(case.recipe)
    return {
        "name": case.name,
        "programs": programs,
        "precision": case.floatx if case.checked else case.recipe.precision,
        "optimizer": case.recipe.optimizer,
        "flops_per_step": model_flops(model, case.recipe),
        "batch_size": case.recipe.batch_size,
        "input_size": _input_size(case.recipe),
        "checked": case.checked,
        # What is checked is too small to be worth a race.
        "peer": None if case.checked else {key: recipe[key] for key in _PEER_SETTINGS},
    }


def _input_size(recipe: ResolvedRecipe) -> int:
    """Side in pixels of the images that the step of both sides crops."""
    size = recipe.image_size
    return size if size <= 64 else 3 * size // 2


def _program(case: Case, form: str) -> tuple[Learner, Program]:
    """The model that the program is of, and the program of one replica."""
    made: list[Learner] = []

    def make_model(recipe: ResolvedRecipe, **kwargs: Any) -> Learner:
        made.append(case.make_model(recipe, **kwargs))
        return made[0]

    recipe = case.recipe_of(form)
    program = recipe_program(
        recipe, 1, input_size=_input_size(recipe), make_model=make_model
    )
    return made[0], program


def _write(program: Program, folder: pathlib.Path) -> None:
    """Writes a program, and how each of its variables begins."""
    folder.mkdir(parents=True, exist_ok=True)
    program.save(str(folder))
    path = folder / "program.json"
    manifest = json.loads(path.read_text())
    for variable, source in zip(manifest["variables"], program.sources):
        variable["start"] = _start(source.numpy())
    path.write_text(json.dumps(manifest))


def _start(values: np.ndarray) -> dict[str, float]:
    """A distribution to draw first values from, for weights are too large to carry."""
    first = values.flat[0]
    if np.all(values == first):
        return {"constant": first.item()}
    return {"mean": float(values.mean()), "deviation": float(values.std())}


def write_check(
    case: Case, form: str, exported: Learner, program: Program, path: pathlib.Path
) -> None:
    """Writes initial values, inputs, and what TensorFlow itself makes of them.

    `start_K` and `end_K` are the K-th variable before the first and after the last
    step; `input_NAME` and `output_NAME` hold `[steps, …]`.
    """
    recipe = case.recipe_of(form)
    generator = np.random.default_rng(7)
    inputs = {
        name: np.stack([_random(spec, generator) for _ in range(CHECKED_STEPS)])
        for name, spec in step_inputs(
            recipe, recipe.batch_size, _input_size(recipe)
        ).items()
    }
    starts = {f"start_{k}": v.numpy() for k, v in enumerate(program.sources)}
    model = case.make_model(recipe)
    model.compile(build_optimizer(recipe, _STEPS_PER_EPOCH))
    model.optimizer.build(model.trainable_variables)
    places = {id(v): place for place, v in enumerate(_variables(exported))}
    ours = _variables(model)
    variables = [ours[places[id(source)]] for source in program.sources]
    for variable, value in zip(variables, starts.values()):
        variable.assign(value)
    step = tf.function(model.train_step)
    outputs: dict[str, list[np.ndarray]] = {array.name: [] for array in program.outputs}
    for number in range(CHECKED_STEPS):
        batch = {name: tf.constant(array[number]) for name, array in inputs.items()}
        for name, value in step(batch).items():
            outputs[name].append(value.numpy())
    np.savez_compressed(
        path,
        **starts,
        **{f"input_{name}": array for name, array in inputs.items()},
        **{f"output_{name}": np.stack(steps) for name, steps in outputs.items()},
        **{f"end_{k}": v.numpy() for k, v in enumerate(variables)},
    )


def _random(spec: tf.TensorSpec, generator: np.random.Generator) -> np.ndarray:
    if spec.dtype.is_integer:
        most = 256 if spec.dtype == tf.uint8 else 2**31
        return generator.integers(0, most, spec.shape).astype(spec.dtype.as_numpy_dtype)
    return generator.uniform(size=spec.shape).astype(spec.dtype.as_numpy_dtype)


def _variables(model: Learner) -> list[tf.Variable]:
    """All that a step may read, in an order that models made alike share."""
    optimizer = model.optimizer
    attributes = [v for v in vars(optimizer).values() if isinstance(v, tf.Variable)]
    metrics = [v for metric in model.metrics for v in metric.variables]
    found = [*model.variables, *optimizer.variables, *attributes, *metrics]
    # Those of a strategy hold a copy for each replica.
    return [getattr(variable, "values", (variable,))[0] for variable in found]


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and exports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--cases", default=",".join(cases()), help="with commas")
    parser.add_argument("--compiler_python", help="the Python that holds jax")
    asked = parser.parse_args(arguments)
    python = find_compiler(asked.compiler_python)
    export(asked.output, asked.cases.split(","), python)


if __name__ == "__main__":
    main()
