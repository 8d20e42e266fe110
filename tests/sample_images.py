"""Images for tests, drawn: like photographs in what matters, the same everywhere.

Their power falls with frequency as that of photographs does (1/f), colours go together
more than they differ, and ten classes, which colour and layout tell apart by halves,
are neither easy nor hopeless. `conftest.py` offers them as fixtures: `images_npz`, an
npz file as `--dataset=npz:` reads it, and `photos`, a folder of JPEG files.
"""

from __future__ import annotations

import io
import pathlib

import numpy as np
from PIL import Image

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
PHOTO_CLASSES = ("airplanes", "bonsai", "watch")
PHOTOS_PER_CLASS = {"train": 16, "test": 4}


def images(
    count: int, size: int = 32, seed: int = 0, classes: int = len(CLASSES)
) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 `[count, size, size, 3]`, and their classes, int64 `[count]`."""
    generator = np.random.default_rng([seed, size])
    labels = generator.permutation(np.arange(count) % classes)
    drawn = _noise(generator, count, size, size)
    drawn += generator.normal(0.0, 0.4, [count, 1, 1, 3])
    fixed = np.random.default_rng(7)
    templates = _noise(fixed, classes, size, size, falling=2.0)
    templates += fixed.normal(0.0, 2.0, [classes, 1, 1, 3])
    return _pixels(drawn + 0.3 * templates[labels]), labels


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """One image, uint8 `[height, width, 3]`, with some hard edges."""
    generator = np.random.default_rng([seed, height, width])
    drawn = _noise(generator, 1, height, width, falling=2.0)[0]
    y, x = np.mgrid[:height, :width] / max(height, width)
    for _ in range(3):
        middle_y, middle_x, radius = generator.uniform(0.1, 0.7, 3)
        inside = (y - middle_y) ** 2 + (x - middle_x) ** 2 < (radius / 2) ** 2
        drawn[inside] += generator.normal(0.0, 1.0, 3)
    return _pixels(drawn)


def jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    """The contents of a JPEG file of an image."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def write_npz(path: pathlib.Path, train: int = 2000, test: int = 1000) -> None:
    """An npz file of 32-pixel images with labels, a test split and class names."""
    arrays = {"classes": np.array(CLASSES)}
    for seed, (split, count) in enumerate((("train", train), ("test", test))):
        arrays[f"x_{split}"], arrays[f"y_{split}"] = images(count, seed=seed)
    np.savez(path, **arrays)


def write_photos(folder: pathlib.Path) -> None:
    """`train/CLASS/0000.jpg` and so on, of many sizes, and the same of `test`."""
    generator = np.random.default_rng(3)
    number = 0
    for split, count in PHOTOS_PER_CLASS.items():
        for name in PHOTO_CLASSES:
            (folder / split / name).mkdir(parents=True)
            for place in range(count):
                height, width = generator.integers(120, 260, 2)
                number += 1
                path = folder / split / name / f"{place:04}.jpg"
                path.write_bytes(jpeg(photo(int(height), int(width), number)))


def _noise(
    generator: np.random.Generator,
    count: int,
    height: int,
    width: int,
    falling: float = 1.2,
) -> np.ndarray:
    """Noise `[count, height, width, 3]` of deviation 1 whose power falls with f."""
    frequency = np.hypot(
        np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    )
    frequency[0, 0] = np.inf
    white = generator.normal(size=(4, count, height, width))
    shaped = np.fft.irfft2(np.fft.rfft2(white) * frequency**-falling, (height, width))
    shaped /= shaped.std(axis=(2, 3), keepdims=True)
    grey, colours = shaped[0], shaped[1:]
    return np.stack(
        [(grey + 0.6 * colour) / np.hypot(1, 0.6) for colour in colours], -1
    )


def _pixels(drawn: np.ndarray) -> np.ndarray:
    """Of full contrast."""
    return np.clip(127.5 + 68.0 * drawn, 0, 255).astype(np.uint8)
