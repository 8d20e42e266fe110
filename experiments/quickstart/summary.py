"""The table that ends the quickstart: pixels, a random encoder, the trained one."""

from __future__ import annotations

import json
import os
import sys

from simclr_tf import native_noise
from simclr_tf.data import evaluation_batches, load_train_and_test
from simclr_tf.evaluation import encode, knn, linear_probe
from simclr_tf.evaluation.bare_pixels import bare_pixels
from simclr_tf.progress import duration
from simclr_tf.training import RunFolder


def main(run_path: str) -> None:
    """Prints the table of a run folder."""
    run = RunFolder(run_path)
    recipe = run.recipe()
    pixels = _pixels(recipe.dataset, recipe.image_size)
    rows = {
        # Picking the penalty would take minutes here and gain nothing.
        "pixels": (
            knn(*pixels).top1,
            linear_probe(*pixels, regularization=(1e-3,)).top1,
        ),
        "random encoder": (_top1(run, "knn_random"), _top1(run, "linear_eval_random")),
        "trained encoder": (_top1(run, "knn"), _top1(run, "linear_eval")),
    }
    print(f"{'accuracy on test images':<25}{'kNN':>7}{'linear':>9}")
    for name, (neighbours, linear) in rows.items():
        print(f"{name:<25}{neighbours:>7.3f}{linear:>9.3f}")
    result = _read(run.result)
    floor = max(rows["pixels"][0], rows["random encoder"][0])
    print(
        f"\n{rows['trained encoder'][0] / floor:.1f} times the better floor, after "
        f"{duration(result['seconds'])} of training on {result['steps']:,} batches at "
        f"{result['images_per_second']:,.0f} images/s.\n"
    )
    files = {
        "encoder": "SavedModel, needs TensorFlow alone",
        "embeddings.npz": "features and labels of the test images",
        "preview.png": "what the augmentation makes of the images",
        "metrics.jsonl": "loss and accuracies as it trained, a line every few steps",
        "flags.txt": "repeats the run: simclr pretrain --flagfile=",
    }
    for name, what in files.items():
        print(f"{os.path.join(run.path, name):<40}{what}")


def _pixels(dataset: str, image_size: int) -> list:
    arrays = []
    for source in load_train_and_test(dataset, image_size=image_size):
        batches = evaluation_batches(source, batch_size=500, image_size=image_size)
        arrays += encode(bare_pixels(image_size), batches)
    return arrays


def _top1(run: RunFolder, name: str) -> float:
    return _read(os.path.join(run.path, f"{name}.json"))["top1"]


def _read(path: str) -> dict:
    with open(path) as file:
        return json.load(file)


if __name__ == "__main__":
    native_noise.start()
    main(sys.argv[1])
