"""The table that ends the quickstart: pixels, a random encoder, the trained one."""

from __future__ import annotations

import json
import os
import sys


def main(run_path: str) -> None:
    """Prints the table of a run folder, from what its commands wrote."""

    def read(name: str) -> dict:
        with open(os.path.join(run_path, f"{name}.json")) as file:
            return json.load(file)

    trained = read("knn"), read("linear_eval")
    random = read("knn_random"), read("linear_eval_random")
    rows = {
        "pixels": [each["floors"]["pixels"] for each in trained],
        "random encoder": [each["top1"] for each in random],
        "trained encoder": [each["top1"] for each in trained],
    }
    print(f"{'accuracy on test images':<25}{'kNN':>7}{'linear':>9}")
    for name, (neighbours, linear) in rows.items():
        print(f"{name:<25}{neighbours:>7.3f}{linear:>9.3f}")
    result = read("result")
    floor = max(rows["pixels"][0], rows["random encoder"][0])
    print(
        f"\n{rows['trained encoder'][0] / floor:.1f} times the better floor, after "
        f"{result['seconds'] / 60:.0f} min of training on {result['steps']:,} batches "
        f"at {result['images_per_second']:,.0f} images/s.\n"
    )
    files = {
        "report.html": "the page of the run: open it in a browser",
        "encoder": "SavedModel, needs TensorFlow alone",
        "embeddings.npz": "features and labels of the test images",
        "preview.png": "what the augmentation makes of the images",
        "metrics.jsonl": "loss and accuracies as it trained, a line every few steps",
        "flags.txt": "repeats the run: simclr pretrain --flagfile=",
    }
    for name, what in files.items():
        print(f"{os.path.join(run_path, name):<40}{what}")


if __name__ == "__main__":
    main(sys.argv[1])
