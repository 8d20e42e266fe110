"""The encoder as a SavedModel that loads with TensorFlow alone."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from simclr_tf.export.servable import servable
from simclr_tf.model import SimCLR
from simclr_tf.version import __version__

_METADATA = "simclr.json"


def export_encoder(
    model: SimCLR, path: str | os.PathLike[str], *, image_size: int | None = None
) -> None:
    """Writes the encoder as a SavedModel for processes that have TensorFlow alone.

    `f = tf.saved_model.load(path)` then gives

    - `f(images, training=False)`: features `[B, D]`. Images are uint8 in 0..255 or
      floating point in [0, 1], `[B, H, W, 3]`, of any batch and any size; their
      dtype tells which. With `training=True` batch norm uses the batch's
      statistics and updates its own, so that `f` can be fine-tuned.
    - `f.trainable_variables`: the encoder's; `f.variables`: all, the head included.
    - `f.signatures["serving_default"](images=...)`, of float32 images, and
      `f.signatures["serving_uint8"](images=...)`, of uint8 images: a dict of
      `features` `[B, D]` and `projection` `[B, d]`.
    - `f.signatures["jpeg"](bytes=...)`: the same from strings `[B]`, the contents
      of JPEG files, each of its own size.

    A signature has one dtype per argument, hence two for images. TensorFlow refuses
    a tensor of another dtype, but converts NumPy arrays: uint8 arrays arrive at
    `serving_default` as floats in 0..255, which it recognises by a value above 1.5
    and scales. `f` takes the dtype of arrays as it is, and scales no floats. Other
    floating point outside [-0.5, 1.5] is an error when the graph runs (the margin
    is for what bicubic resizing overshoots), unless a compiler such as XLA leaves
    checks out. Floats in [0, 1] given to `serving_uint8` as an array arrive as
    zeros, a black image: that is not caught.

    Images are brought to `image_size` by `augmentation.evaluation_view`, as in
    evaluation. Next to the SavedModel's own files lies `simclr.json` with image
    size, widths and versions.

    Args:
      model: a built model; its augmenter, probe and optimizer are left out.
      path: folder to write, also on a remote file system (`gs://...`). Must be
        absent, empty, or an earlier export, which is replaced.
      image_size: side in pixels of what the encoder sees. None leaves images as
        they are; then `jpeg` runs the encoder on one image at a time.

    Raises:
      ValueError: `path` holds something else, `image_size` is below 1, `model` is
        not built, or the encoder does not accept images of `image_size`.
    """
    if image_size is not None and image_size < 1:
        raise ValueError(f"image_size must be 1 or more, or None, got {image_size!r}")
    if not model.built:
        raise ValueError(
            "model must be built, got one without variables: call it on a batch of "
            "images, or model.build([None, height, width, 3])"
        )
    path = os.fspath(path)
    _refuse_foreign_folder(path)

    root, signatures = servable(model, image_size)
    outputs = signatures["serving_default"].structured_outputs
    metadata = {
        "image_size": image_size,
        "feature_dim": outputs["features"].shape[-1],
        "projection_dim": outputs["projection"].shape[-1],
        "simclr_tf": __version__,
        "tensorflow": tf.version.VERSION,
    }
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(path)
    tf.io.gfile.makedirs(path)
    # First, for it marks the folder as ours even when saving is cut short.
    with tf.io.gfile.GFile(os.path.join(path, _METADATA), "w") as file:
        file.write(json.dumps(metadata, indent=2) + "\n")
    tf.saved_model.save(root, path, signatures=signatures)


def _refuse_foreign_folder(path: str) -> None:
    if not tf.io.gfile.exists(path):
        return
    if not tf.io.gfile.isdir(path):
        raise ValueError(f"path must be a folder, got the file {path}")
    entries = sorted(tf.io.gfile.listdir(path))
    if entries and _METADATA not in entries:
        raise ValueError(
            f"path must be absent, empty or an earlier export (which has {_METADATA}), "
            f"got {path}, which holds {entries[0]} and {len(entries) - 1} more"
        )


def image_size_of(path: str | os.PathLike[str]) -> int | None:
    """The `image_size` that an export was made with; None where it does not say."""
    metadata = os.path.join(os.fspath(path), _METADATA)
    if not tf.io.gfile.exists(metadata):
        return None
    with tf.io.gfile.GFile(metadata) as file:
        return json.loads(file.read())["image_size"]
