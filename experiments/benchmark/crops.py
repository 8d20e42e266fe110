"""How far the crops that training cuts from files are from the published ones.

The published code decodes a file whole, cuts the box and resizes it bicubically. Here
the same boxes are cut by `simclr pretrain`'s own function. For comparison, also from
the picture as earlier versions shrank it, to a canvas of one and a half times the view.

.venv/bin/python experiments/benchmark/crops.py --folder=caltech101 --enlarge=1,3

Prints a table; two cores take some minutes.
"""

from __future__ import annotations

import argparse
import glob
import io
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.augmentation.resize import scale_boxes
from simclr_tf.data.file_crops import crops_of_file
from simclr_tf.data.image_files import canvas_size, decode, to_canvas

_HEADER = "| files | view | mean difference | of the worst crop | sharpness | {} |"


def _contents(folder: str, count: int, enlarge: int) -> Iterator[bytes]:
    """JPEG files spread over a folder, enlarged so many times."""
    found = sorted(glob.glob(os.path.join(folder, "**", "*.jpg"), recursive=True))
    for path in found[:: max(len(found) // count, 1)][:count]:
        with open(path, "rb") as file:
            contents = file.read()
        if enlarge > 1:
            picture = Image.open(io.BytesIO(contents)).convert("RGB")
            size = [enlarge * side for side in picture.size]
            written = io.BytesIO()
            picture.resize(size, Image.BICUBIC).save(written, "JPEG", quality=95)
            contents = written.getvalue()
        yield contents


def _published(image: tf.Tensor, boxes: np.ndarray, side: int) -> np.ndarray:
    """Crops of a decoded file, in [0, 1]."""
    unit = tf.image.convert_image_dtype(image, tf.float32)
    crops = [unit[y : y + h, x : x + w] for y, x, h, w in boxes]
    crops = [tf.image.resize(crop, [side, side], "bicubic") for crop in crops]
    return np.clip(np.stack(crops), 0.0, 1.0)


def _from_canvas(
    contents: tf.Tensor, boxes: tf.Tensor, augmenter: SimCLRAugmenter
) -> np.ndarray:
    """The same crops of the picture on a canvas, in [0, 1]."""
    canvas, size = to_canvas(contents, canvas_size(augmenter.image_size))
    sizes = tf.tile(size[None], [len(boxes), 1])
    boxes = scale_boxes(boxes, sizes, tf.fill([len(boxes), 2], canvas.shape[0]))
    images = tf.cast(canvas, tf.float32)[None] / 255.0
    crops = [
        augmenter.crop.augment_images(images, {"boxes": box[None]})[0] for box in boxes
    ]
    return np.clip(np.stack(crops), 0.0, 1.0)


def _sharpness(images: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels."""
    return float(
        np.abs(np.diff(images, axis=1)).mean() + np.abs(np.diff(images, axis=2)).mean()
    )


def _measure(folder: str, count: int, enlarge: int, side: int) -> str:
    augmenter = SimCLRAugmenter(side)
    apart: dict[str, list[float]] = {"file": [], "canvas": []}
    sharp = np.zeros(3)
    for index, contents in enumerate(_contents(folder, count, enlarge)):
        image = decode(tf.constant(contents))
        seeds = randomness.example_seeds(0, 0, tf.constant([index], tf.int64))
        boxes = augmenter.crop_boxes(seeds, tf.shape(image)[None, :2])[0]
        wanted = _published(image, boxes.numpy(), side)
        crops, _ = crops_of_file(
            tf.constant(contents), lambda size, boxes=boxes: boxes, 2, side, side
        )
        ways = {
            "file": crops.numpy() / 255.0,
            "canvas": _from_canvas(tf.constant(contents), boxes, augmenter),
        }
        for name, made in ways.items():
            apart[name] += list(np.abs(made - wanted).mean(axis=(1, 2, 3)))
        sharp += [_sharpness(made) for made in (wanted, *ways.values())]
    ours, canvas = (
        f"{np.mean(apart[name]):.4f} | {np.max(apart[name]):.4f} | "
        f"{sharp[place] / sharp[0]:.2f}"
        for place, name in enumerate(("file", "canvas"), 1)
    )
    kind = f"enlarged {enlarge} times" if enlarge > 1 else "as they are"
    return f"| {kind} | {side} px | {ours} | {canvas} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--enlarge", default="1,3")
    parser.add_argument("--sizes", default="64,96,160,224")
    flags = parser.parse_args()
    print(_HEADER.format("from a canvas | of the worst crop | sharpness"))
    print("|" + "---|" * 8)
    for enlarge in map(int, flags.enlarge.split(",")):
        for side in map(int, flags.sizes.split(",")):
            print(_measure(flags.folder, flags.files, enlarge, side), flush=True)


if __name__ == "__main__":
    main()
