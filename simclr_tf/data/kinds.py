"""A source of images from the few words that name it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from simclr_tf.data.folder import load_folder, load_list, load_pages
from simclr_tf.data.given import is_given
from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.npz import load_npz
from simclr_tf.data.shapes import load_shapes
from simclr_tf.data.source import DataError, Source
from simclr_tf.data.tfds import load_tfds
from simclr_tf.data.tfrecord import load_tfrecord
from simclr_tf.dotted_names import import_dotted
from simclr_tf.errors import UserError
from simclr_tf.suggestions import nearest

# A new kind of source is a file with such a function and a line here. Each takes
# (argument, split, image_size, labels), the argument being what follows the colon.
# A function of the user's own is the same, and needs no line.
KINDS: dict[str, Callable[..., Source]] = {
    "shapes": load_shapes,
    "npz": load_npz,
    "folder": load_folder,
    "pages": load_pages,
    "list": load_list,
    "tfrecord": load_tfrecord,
    "tfds": load_tfds,
}
# Those of them that take a further argument, an `ImageForm`.
TAKING_FORMS: dict[str, Callable[..., Source]] = {
    "npz": load_npz,
    "folder": load_folder,
    "pages": load_pages,
    "list": load_list,
    "tfrecord": load_tfrecord,
}
NOTATION = (
    "shapes, npz:PATH, folder:PATH, pages:PATH (a folder whose TIFF pages are images "
    "of their own), list:FILE, tfrecord:GLOB, tfds:NAME or "
    "package.module:function:ARGUMENT of your own"
)
# What other programs call them.
_OTHER_NAMES = {
    "dir": "folder",
    "directory": "folder",
    "path": "folder",
    "images": "folder",
    "imagefolder": "folder",
    "file": "list",
    "csv": "list",
    "txt": "list",
    "npy": "npz",
    "numpy": "npz",
    "tfr": "tfrecord",
}
_BY_ENDING = {".npz": "npz", ".tfrecord": "tfrecord", ".tfrecords": "tfrecord"}
_OWN = re.compile(r"(?P<function>[^\W\d][\w.]*:[^\W\d]\w*)(?::(?P<argument>.*))?")


def load(
    spec: str,
    split: str = "train",
    *,
    image_size: int | None = None,
    labels: bool = True,
    form: ImageForm = AS_IT_IS,
) -> Source:
    """A source of images.

    Args:
      spec: `shapes` (embedded, needs no file), `npz:PATH`, `folder:PATH` or
        `folder:PATH,PATH`, `pages:PATH` likewise, with each page of a TIFF file an
        image of its own, `list:FILE`, `tfrecord:GLOB` or `tfds:NAME`; or
        `package.module:function:ARGUMENT`, a
        function of your own, called with `(ARGUMENT, split, image_size, labels)`,
        that gives a `Source`, or raises `MissingSplit` or another `DataError`.
      split: "train" or "test"; of tfds, any split it has.
      image_size: side in pixels that the images are meant for: `shapes` are drawn
        at it, and `read` brings images of many sizes to a canvas that suits it.
      labels: whether to give labels where there are any; of a folder, its
        subfolders' names.
      form: channels, of npz and tfrecord, and values of black and white, of these and
        of image files of more than 8 bits; all others give RGB images.

    Returns:
      The source, which says its length, image shape and classes.

    Raises:
      DataError: where the spec, the split or what it names is not as it should
        be; the message says what to do.
    """
    if is_given(spec):
        raise DataError(
            f"The images that a run calls {spec} were handed to it in Python, and "
            "cannot be read by that name: give --dataset, or the images again in "
            "Python."
        )
    kind, _, argument = spec.partition(":")
    own = _OWN.fullmatch(spec)
    if kind not in KINDS and own:
        argument = own["argument"] or ""
        source = _load_own(spec, own["function"], argument, split, image_size, labels)
        return in_form(source, form)
    if kind not in KINDS:
        raise DataError(
            f"Dataset {spec!r} is of no known kind.{_meant(spec)} Use {NOTATION}."
        )
    if kind != "shapes" and not argument:
        raise DataError(
            f"Dataset {spec!r} names nothing after {kind}:. Use {NOTATION}."
        )
    if kind in TAKING_FORMS:
        source = TAKING_FORMS[kind](argument, split, image_size, labels, form)
        return in_form(source, form._replace(value_range=None))
    source = KINDS[kind](argument, split, image_size, labels)
    return in_form(source, form)


def _meant(spec: str) -> str:
    """The sentence on what a notation of no known kind may stand for, or ""."""
    kind, _, argument = spec.partition(":")
    if kind in ("http", "https"):
        return " Download it first, and name the file or the folder."
    found = _kind_of_path(spec)
    if found:
        return f" Did you mean {found}:{spec}?"
    near = nearest(kind, [*KINDS, *_OTHER_NAMES])
    if near and (argument or near[0] == "shapes"):
        near[0] = _OTHER_NAMES.get(near[0], near[0])
        return f" Did you mean {near[0]}:{argument}?".replace(":?", "?")
    if re.fullmatch(r"\w+", spec):
        return f" Did you mean folder:{spec}, or tfds:{spec} of TensorFlow Datasets?"
    return ""


def _kind_of_path(path: str) -> str | None:
    """The kind of what lies at a path, as far as that is seen at once."""
    ending = os.path.splitext(path)[1].lower()
    if ending in _BY_ENDING:
        return _BY_ENDING[ending] if "://" in path or os.path.exists(path) else None
    if os.path.isdir(path):
        return "folder"
    return "list" if ending == ".txt" and os.path.isfile(path) else None


def in_form(source: Source, form: ImageForm) -> Source:
    """A source that has one form of its images; DataError where another was said."""
    own = source.image_shape[-1]
    if form.channels not in (None, own):
        raise DataError(
            f"{source.spec} gives images of {own} channels, and channels="
            f"{form.channels} was said, or is what the encoder was trained on: leave "
            "it out, or give arrays as npz: or tfrecord:."
        )
    if form.value_range is not None:
        raise DataError(
            f"{source.spec} says itself what black and white are: leave out "
            "value_range, which is for npz:, tfrecord: and image files."
        )
    return source


def _load_own(
    spec: str,
    name: str,
    argument: str,
    split: str,
    image_size: int | None,
    labels: bool,
) -> Source:
    """What a function of the user's own gives, under the name that was said."""
    try:
        function = import_dotted("dataset", name)
    except UserError as error:
        raise DataError(f"{error}{_meant(spec)} Or use {NOTATION}.") from error
    source = function(argument, split, image_size, labels)
    if not isinstance(source, Source):
        raise DataError(
            f"dataset {spec!r} must give a simclr_tf.data.Source, got a "
            f"{type(source).__name__}."
        )
    source.spec = spec
    return source
