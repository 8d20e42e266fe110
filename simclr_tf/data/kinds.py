"""A source of images from the few words that name it."""

from __future__ import annotations

from simclr_tf.data.folder import load_folder
from simclr_tf.data.npz import load_npz
from simclr_tf.data.shapes import load_shapes
from simclr_tf.data.source import DataError, Source
from simclr_tf.data.tfds import load_tfds
from simclr_tf.data.tfrecord import load_tfrecord

# A new kind of source is a file with such a function and a line here. Each takes
# (argument, split, image_size, labels), the argument being what follows the colon.
KINDS = {
    "shapes": load_shapes,
    "npz": load_npz,
    "folder": load_folder,
    "tfrecord": load_tfrecord,
    "tfds": load_tfds,
}
_NOTATION = "shapes, npz:PATH, folder:PATH, tfrecord:GLOB or tfds:NAME"


def load(
    spec: str,
    split: str = "train",
    *,
    image_size: int | None = None,
    labels: bool = True,
) -> Source:
    """A source of images.

    Args:
      spec: `shapes` (embedded, needs no file), `npz:PATH`, `folder:PATH`,
        `tfrecord:GLOB` or `tfds:NAME`.
      split: "train" or "test"; of tfds, any split it has.
      image_size: side in pixels that the images are meant for: `shapes` are drawn
        at it, images of many sizes are brought to a canvas that suits it.
      labels: whether to give labels where there are any; of a folder, its
        subfolders' names.

    Returns:
      The source, which says its length, image shape and classes.

    Raises:
      DataError: where the spec, the split or what it names is not as it should
        be; the message says what to do.
    """
    kind, _, argument = spec.partition(":")
    if kind not in KINDS:
        raise DataError(f"Dataset {spec!r} is of no known kind. Use {_NOTATION}.")
    if kind != "shapes" and not argument:
        raise DataError(
            f"Dataset {spec!r} names nothing after {kind}:. Use {_NOTATION}."
        )
    return KINDS[kind](argument, split, image_size, labels)
