"""The encoder as a SavedModel that loads with TensorFlow alone."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import known_in_range
from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.encoder.misfit import misfit
from simclr_tf.errors import UserError
from simclr_tf.export.precision import computing_in
from simclr_tf.export.replacement import AS_IT_WAS, replacing, require_replaceable
from simclr_tf.export.servable import servable
from simclr_tf.image_size import ImageSize, image_size_text, parse_image_size
from simclr_tf.model import Learner
from simclr_tf.version import __version__
from simclr_tf.whole_files import write_errors

_METADATA = "simclr.json"
Check = Callable[[str], None]


def export_encoder(
    model: Learner,
    path: str | os.PathLike[str],
    *,
    image_size: ImageSize | None = None,
    precision: str = "float32",
    value_range: tuple[float, float] | None = None,
    check: Check | None = None,
) -> None:
    """Writes the encoder as a SavedModel for processes that have TensorFlow alone.

    `f = tf.saved_model.load(path)` then gives

    - `f(images, training=False)`: features `[B, D]`. Images are uint8 in 0..255 or
      floating point in [0, 1], `[B, H, W, C]`, of any batch and any size, with the
      channels C that the model was built for; their dtype tells which. With
      `training=True` batch norm uses the batch's statistics and updates its own, so
      that `f` can be fine-tuned.
    - `f.trainable_variables`: the encoder's; `f.variables`: all, the head included.
    - `f.signatures[name]`, each a dict of `features` `[B, D]` and, where the method
      has a projection head, `projection` `[B, d]`:

      - `serving_default(images=...)`: float32 in [0, 1].
      - `serving_uint8(images=...)`: uint8.
      - `serving_0_255(images_0_255=...)`: float32 in 0..255.
      - `jpeg(bytes=...)`: strings `[B]`, the contents of JPEG files (or PNG, GIF or
        BMP), each of its own size; where the model takes 1 channel (of RGB files,
        their luma) or 3, and not of other channels, which such files do not hold.

    No signature guesses what its images are. Out of range are floats outside
    [-0.5, 1.5] (the margin is for what bicubic resizing overshoots), NaN among them;
    for `serving_0_255` 255 times that, and images that are not black and stay below
    4, as those in [0, 1] do. Such an image, and for `jpeg` a file that cannot be read
    (no image file, cut short or damaged, or one that claims more pixels than
    `data.image_headers.MAX_PIXELS`), is answered with NaN, in features and projection,
    since other clients of a server may share its batch. A batch without any image to
    answer is an error, and so is any image out of range for `f`, unless a compiler such
    as XLA or a converter leaves checks out. Damage within a JPEG that its decoder
    passes over, such as a changed bit, is not noticed: there are features, of what was
    decoded.

    TensorFlow refuses a tensor of another dtype than a signature's, but converts NumPy
    arrays: uint8 arrays arrive at `serving_default` as floats in 0..255, out of range.
    What `serving_uint8` is given as an array of another dtype is cut down to uint8
    before it arrives, floats in [0, 1] to zeros, a black image: that is not caught.

    Images are brought to `image_size` by `augmentation.evaluation_view`, as in
    evaluation. Next to the SavedModel's own files lies `simclr.json` with image
    size, channels, value range, precision, widths and versions.

    Args:
      model: a built model; its augmenter, probe and optimizer are left out.
      path: folder to write, also on a remote file system (`gs://...`). Must be
        absent, empty, or an earlier export, which is replaced when the new one is
        written whole.
      image_size: side in pixels of what the encoder sees, or height and width. None
        leaves images as they are; then `jpeg` runs the encoder on one image at a time.
      precision: what the exported encoder computes in. "float32", whatever the model
        trained in: it runs on any processor, and converters take it (a model of
        float64 variables stays in float64). "bfloat16" or "float16" for a model made
        under a policy of mixed precision, and for machines that have instructions
        for it.
      value_range: the values of black and white in the PNG files of 16 bits that `jpeg`
        is given, such as (0, 4095); a file that has others cannot be read. None cuts
        their 16 bits to 8.
      check: called with the new folder before it takes the place of `path`; where it
        raises, `path` stays as it was.

    Raises:
      UserError: `path` holds something else or cannot be written, `image_size` is
        below 1 or one that the encoder does not take, `model` is not built or cannot
        compute in `precision`.
    """
    _export(model, path, image_size, precision, value_range, check=check)


def export_classifier(
    model: Learner,
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str],
    image_size: ImageSize | None = None,
    precision: str = "float32",
    value_range: tuple[float, float] | None = None,
    check: Check | None = None,
) -> None:
    """Writes a classifier as a SavedModel for processes that have TensorFlow alone.

    `f = tf.saved_model.load(path)` then gives probabilities `[B, K]`, `f(images)`, in
    the order of `classes`. Each signature gives `probabilities` `[B, K]` and `classes`,
    strings `[B, K]`, the classes' names in that order in each row, as TensorFlow
    Serving expects them: `classify`, the same as `serving_default`, takes `images`
    float32 in [0, 1]; `serving_uint8`, `serving_0_255` and `jpeg`, and what is done
    with images out of range, are those of `export_encoder`.

    Args:
      model: a `Learner` whose head is a classifier, see `ClassifierHead`.
      path: see `export_encoder`.
      classes: names of the K classes.
      image_size: side in pixels of what the model sees of an image of any size, or
        height and width; None leaves images as they are.
      precision: see `export_encoder`.
      value_range: see `export_encoder`.
      check: see `export_encoder`.

    Raises:
      UserError: see `export_encoder`.
    """
    _export(model, path, image_size, precision, value_range, classes, check)


def _export(
    model: Learner,
    path: str | os.PathLike[str],
    image_size: ImageSize | None,
    precision: str,
    value_range: tuple[float, float] | None,
    classes: Sequence[str] | None = None,
    check: Check | None = None,
) -> None:
    if image_size is not None:
        image_size = parse_image_size(image_size)
    if value_range is not None:
        value_range = parse_value_range(value_range)
    if not model.built:
        raise UserError(
            "model must be built, got one without variables: call it on a batch of "
            "images, or model.build([None, height, width, 3])"
        )
    path = os.fspath(path).rstrip("/")
    require_replaceable(path, _METADATA)

    # Saving traces the callable again, so it belongs inside. The signatures have checks
    # of their own, image by image.
    with computing_in(model, precision), known_in_range():
        channels = channels_seen(model)
        with misfit_told(image_size):
            root, signatures = servable(
                model, image_size, channels, value_range, classes
            )
        outputs = signatures["serving_default"].structured_outputs
        served = outputs["features" if classes is None else "probabilities"]
        metadata = {
            "image_size": image_size,
            "channels": channels,
            "value_range": value_range,
            "precision": served.dtype.name if precision == "float32" else precision,
            "simclr_tf": __version__,
            "tensorflow": tf.version.VERSION,
        }
        if classes is None:
            metadata["feature_dim"] = served.shape[-1]
            metadata["projection_dim"] = (
                outputs["projection"].shape[-1] if "projection" in outputs else None
            )
        else:
            metadata["classes"] = list(classes)
        with replacing(path) as folder:
            with write_errors(path, AS_IT_WAS):
                # First, for it marks the folder as ours even when saving is cut short.
                with tf.io.gfile.GFile(os.path.join(folder, _METADATA), "w") as file:
                    file.write(json.dumps(metadata, indent=2) + "\n")
                tf.saved_model.save(root, folder, signatures=signatures)
            if check is not None:
                check(folder)


def channels_seen(model: Learner) -> int:
    """The channels of the images that a model was built for."""
    shape = tf.TensorShape(model._build_input_shape)
    return 3 if shape.rank is None or shape[-1] is None else shape[-1]


@contextlib.contextmanager
def misfit_told(image_size: ImageSize | None) -> Iterator[None]:
    """Raises UserError where a model is traced for images that it does not take."""
    try:
        yield
    except ValueError as error:
        found = misfit(error)
        if found is None:
            raise
        size = "any size" if image_size is None else f"{image_size_text(image_size)} px"
        raise UserError(
            f"The encoder does not take images of {size}: export it with the "
            f"image_size that it was made for. {found}"
        ) from error


def image_size_of(path: str | os.PathLike[str]) -> ImageSize | None:
    """The `image_size` that an export was made with; None where it does not say.

    Raises:
      UserError: what lies beside the SavedModel cannot be read.
    """
    size = _stated(path, "image_size")
    try:
        return None if size is None else parse_image_size(size)
    except (UserError, TypeError, ValueError):
        raise UserError(
            f"{os.path.join(os.fspath(path), _METADATA)} states the image size "
            f"{size!r}: export it again."
        ) from None


def channels_of(path: str | os.PathLike[str]) -> int:
    """The channels of the images that an export takes; 3 where it does not say.

    Raises:
      UserError: what lies beside the SavedModel cannot be read.
    """
    return int(_stated(path, "channels", 3))


def value_range_of(path: str | os.PathLike[str]) -> tuple[float, float] | None:
    """The `value_range` that an export was made with; None where it does not say.

    Raises:
      UserError: what lies beside the SavedModel cannot be read.
    """
    stated = _stated(path, "value_range", None)
    return None if stated is None else parse_value_range(stated)


def _stated(path: str | os.PathLike[str], name: str, *default: Any) -> Any:
    """What an export says of itself; the default, or None, where it says nothing."""
    metadata = os.path.join(os.fspath(path), _METADATA)
    if not tf.io.gfile.exists(metadata):
        return default[0] if default else None
    try:
        with tf.io.gfile.GFile(metadata) as file:
            values = dict(json.loads(file.read()))
            return values.get(name, *default) if default else values[name]
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"{metadata} is damaged; export the encoder again, or name another "
            "SavedModel."
        ) from error
