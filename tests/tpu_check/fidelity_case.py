"""Traces a step both ways and prints what each holds, as JSON.

A process of its own, for `strategy.run` needs a logical CPU for each replica.
"""

from __future__ import annotations

import collections
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from simclr_tf.tpu_check.fake_tpu import tpu_strategy
from simclr_tf.tpu_check.program import Program, export_step
from simclr_tf.training import Recipe, ResolvedRecipe, build_model
from simclr_tf.training.build import build_optimizer

REPLICAS = 8
LOCAL_BATCH = 4
SIZE = 16


def main() -> None:
    """Prints the operations `strategy.run` replicates and those we export."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
    )
    recipe = Recipe(
        image_size=SIZE,
        encoder=sys.argv[1],
        optimizer="lars",
        precision="bfloat16",
        blur=True,
        batch_size=LOCAL_BATCH * REPLICAS,
    ).resolve()
    specs = {
        "image": tf.TensorSpec([LOCAL_BATCH, SIZE, SIZE, 3], tf.uint8),
        "seeds": tf.TensorSpec([LOCAL_BATCH, 2], tf.int32),
    }
    # A copy of the variables for each replica, and one for all of them.
    replicated, program = export(recipe, specs, copies=REPLICAS)
    _, alone = export(recipe, specs, copies=1)
    json.dump(
        {
            "replicated": replicated,
            "exported": program.operations,
            "same_with_one_copy": program.operations == alone.operations,
        },
        sys.stdout,
    )


def export(
    recipe: ResolvedRecipe, specs: dict[str, tf.TensorSpec], copies: int
) -> tuple[dict[str, int], Program]:
    """What `strategy.run` replicates, where it can be traced, and our program."""
    strategy = tpu_strategy(REPLICAS, copies=copies)
    with strategy.scope():
        model = build_model(recipe)
        model.compile(build_optimizer(recipe, 100))
    program = export_step(strategy, model, specs)
    if copies == 1:
        return {}, program

    @tf.function
    def run(*arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        return strategy.run(model.train_step, args=(dict(zip(specs, arrays)),))

    operations = run.get_concrete_function(*specs.values()).graph.get_operations()
    marked = [o for o in operations if "_tpu_replicate" in o.node_def.attr]
    return collections.Counter(o.type for o in marked), program


if __name__ == "__main__":
    main()
