"""What a pretrained run's representations are worth, and what its head makes of them.

  python experiments/head/run.py RUN_FOLDER … [--random]

For each run: 20-NN and ridge accuracy and the geometry of `h` and of the output of each
layer of the projection head, on the run's own images, as rows of a Markdown table.
`--random` measures the same model before it learned.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence

import tensorflow as tf

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1]))  # Where this is run as a script.

from simclr_tf import data, evaluation  # noqa: E402
from simclr_tf.training import RunFolder, build_model  # noqa: E402

_BATCH = 250


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--random", action="store_true")
    parsed = parser.parse_args(arguments)
    print("| run | of | width | 20-NN | ridge | effective rank | deviation |")
    print("|---|---|---|---|---|---|---|")
    for run in parsed.runs:
        for row in rows(run, random=parsed.random):
            print(f"| {run} | {row} |")


def rows(run: str, *, random: bool = False) -> list[str]:
    """A row for `h` and for each layer of a run's head.

    Args:
      run: a run folder of `simclr pretrain`.
      random: measure the model with its first weights.
    """
    folder = RunFolder(run)
    recipe = folder.recipe()
    model = build_model(recipe) if random else folder.load_model()
    train, test = data.load_train_and_test(
        recipe.dataset, recipe.test_dataset, form=recipe.form
    )
    found = []
    for place in range(recipe.head_layers + 1):
        sides = []
        for source in (train, test):
            batches = data.evaluation_batches(
                source, batch_size=_BATCH, image_size=recipe.image_size
            )
            sides += evaluation.encode(_layer(model, place), batches)
        knn, ridge = evaluation.knn(*sides), evaluation.ridge_probe(*sides)
        shape = evaluation.geometry(sides[2])
        found.append(
            f"{'h' if place == 0 else f'layer {place}'} | {shape.width} | "
            f"{knn.top1:.3f} | {ridge.top1:.3f} | {shape.effective_rank:.0f} | "
            f"{shape.deviation:.2f}"
        )
    return found


def _layer(model: tf.keras.Model, place: int) -> Callable[..., tf.Tensor]:
    """Images to `h`, or to the output of a layer of the head, counted from 1."""

    def represent(images: tf.Tensor) -> tf.Tensor:
        h = model(images, training=False)
        outputs = model.projection_head.layer_outputs(h, training=False)
        return tf.cast(outputs[place], tf.float32)

    return represent


if __name__ == "__main__":
    main(sys.argv[1:])
