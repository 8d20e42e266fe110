"""`simclr tpu_check`: compiles the training step for a TPU, without a TPU."""

from __future__ import annotations

import dataclasses
import json

from absl import flags

from simclr_tf.cli import output, recipe_flags
from simclr_tf.cli.command import Work
from simclr_tf.image_size import image_size_text
from simclr_tf.messages import say
from simclr_tf.tpu_check import NOT_PROVEN, TpuCheck, tpu_check


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "topology",
        "v3:8x8",
        "TPU generation (v2, v3, v4, v5e, v5p, v6e) and chips along each axis of the "
        "slice: v3:8x8, v5e:4x4, v4:2x2x1",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "input_size",
        None,
        "side in pixels of the images that a device which augments crops; by default "
        "views above 64 px are made of crops that the host cuts from files, and others "
        "of images of their own size",
        lower_bound=8,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_classes",
        None,
        "classes of the dataset's labels, where a probe learns from them along the way",
        lower_bound=2,
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "show_augmentation",
        False,
        "with --augment_on=device, compile the step on views from the host as well "
        "and show what augmentation adds",
        flag_values=values,
    )
    flags.DEFINE_string(
        "compiler_python",
        None,
        "Python of an environment with jax and libtpu; .venv-tpu-check/bin/python by "
        "default, else this Python where it holds both",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output", None, "JSON file to write the figures to", flag_values=values
    )
    # All of them, so that the flag file of a run can be checked as it stands.
    recipe_flags.define(values)


def _run(values: flags.FlagValues) -> None:
    if values.output:
        output.require_writable_file(values.output)
    recipe = recipe_flags.recipe(values).resolve()
    say(
        f"{recipe.encoder}, views of {image_size_text(recipe.image_size)} px, "
        f"{recipe.precision}, {recipe.optimizer}, {recipe.batch_size} images a step; "
        "compiling takes seconds to minutes"
    )

    def check(augment_on: str) -> TpuCheck:
        return tpu_check(
            dataclasses.replace(recipe, augment_on=augment_on),
            values.topology,
            input_size=values.input_size,
            num_classes=values.num_classes,
            compiler_python=values.compiler_python,
        )

    result = check(recipe.augment_on)
    say(str(result))
    written = {"recipe": dataclasses.asdict(recipe), **result.to_dict()}
    if values.show_augmentation and recipe.augment_on == "device":
        without = check("host")
        say(f"augmentation adds         {result.beyond(without)}")
        written["on_views_from_the_host"] = without.to_dict()
    say(NOT_PROVEN)
    if values.output:
        output.write(values.output, (json.dumps(written, indent=2) + "\n").encode())


WORK = Work(
    define=_define,
    run=_run,
    example="simclr tpu_check --flagfile=experiments/imagenet/resnet50_1x.txt "
    "--topology=v3:8x8",
)
