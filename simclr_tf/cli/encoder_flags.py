"""Flags that name an encoder and the images to run it on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf
from absl import flags

from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.checkpoints import PublishedWeights
from simclr_tf.checkpoints.files import readable_saved_model
from simclr_tf.cli.command import UsageError
from simclr_tf.data import (
    AS_IT_IS,
    ImageForm,
    Source,
    data_errors,
    evaluation_batches,
)
from simclr_tf.evaluation.feature_store import gather, without_rows
from simclr_tf.evaluation.features import encode_batches
from simclr_tf.export import PRECISIONS, channels_of, image_size_of, value_range_of
from simclr_tf.image_size import ImageSize, longer_side, parse_image_size
from simclr_tf.messages import say
from simclr_tf.model import Learner
from simclr_tf.progress import Progress
from simclr_tf.training import Recipe, ResolvedRecipe, RunFolder, build_model
from simclr_tf.training.convert import recipe_of
from simclr_tf.training.image_verdicts import recall_verdicts

Encoder = Callable[..., tf.Tensor]
PUBLISHED = (
    "published weights: a checkpoint of the published code of TensorFlow 2 or 1 (its "
    "prefix, its folder, its SavedModel or TensorFlow Hub module), or a ResNet of "
    "PyTorch as .safetensors or .npz"
)


class Loaded(NamedTuple):
    """An encoder, the size of the images it sees, and its images' default."""

    encoder: Encoder
    image_size: ImageSize
    dataset: str | None
    test_dataset: str | None
    recipe: ResolvedRecipe | None = None  # of the run that trained it
    form: ImageForm = AS_IT_IS  # of its images
    run: str | None = None  # its folder

    @property
    def loaded_size(self) -> int:
        """The `image_size` that images are loaded for."""
        return longer_side(self.image_size)


class Parsed(flags.ArgumentParser):
    """A flag's text as what a function makes of it, or its UserError at once."""

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self.parse = parse


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_string(
        "run",
        None,
        "run folder of pretrain or convert whose encoder to use; export takes one of "
        "finetune or distill too",
        flag_values=values,
    )
    flags.DEFINE_string(
        "saved_model",
        None,
        "SavedModel folder of simclr export whose encoder to use",
        flag_values=values,
    )
    flags.DEFINE_string(
        "published",
        None,
        f"{PUBLISHED}; the encoder is used",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "random",
        False,
        "use an encoder that has learned nothing, of the architecture of --run, "
        "--published or --encoder: the floor to compare with",
        flag_values=values,
    )
    flags.DEFINE_string(
        "encoder",
        None,
        "architecture for --random, such as resnet50, and for --published, where it is "
        "told from the weights' shapes by default",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "head_layers",
        None,
        "layers of the projection head in --published; those that it has by default",
        flag_values=values,
    )
    _define_images(values)
    flags.DEFINE_enum(
        "precision",
        "float32",
        list(PRECISIONS),
        "what the encoder computes in, whatever it was trained in; a SavedModel has a "
        "precision of its own",
        flag_values=values,
    )


def _define_images(values: flags.FlagValues) -> None:
    """The flags that say what images the encoder is given, and how many at a time."""
    flags.DEFINE(
        Parsed(parse_image_size),
        "image_size",
        None,
        "side in pixels of the images the encoder sees, or height and width as in "
        "96x160; what it was trained with by default",
        flag_values=values,
    )
    flags.DEFINE(
        Parsed(parse_value_range),
        "value_range",
        None,
        "values of black and white in npz and tfrecord images, and in PNG and TIFF "
        "files of more than 8 bits, as in 0,4095; those of the run by default",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch_size",
        256,
        "images encoded at a time",
        lower_bound=1,
        flag_values=values,
    )


def load(values: flags.FlagValues) -> Loaded:
    """The encoder that the flags name.

    Raises:
      UsageError: where they name none, or more than one.
    """
    named = [n for n in ("run", "saved_model", "published") if values[n].value]
    if len(named) > 1 or not (named or (values.random and values.encoder)):
        raise UsageError(
            "Name one encoder: --run=FOLDER, --saved_model=FOLDER, --published=PATH, "
            "or --random with --encoder=NAME."
        )
    if values.saved_model:
        return _from_saved_model(values)
    if values.run:
        recipe = RunFolder(values.run).recipe()
        if values.random:
            model = build_model(dataclasses.replace(recipe, precision=values.precision))
        else:
            model = RunFolder(values.run).load_model(precision=values.precision)
            RunFolder(values.run).told_where_unfinished(say)
        return _of_run(values, model, recipe)
    if values.published:
        return _from_published(values)
    size = values.image_size or 224
    said = Recipe(
        image_size=size,
        encoder=values.encoder,
        head_layers=3 if values.head_layers is None else values.head_layers,
        precision=values.precision,
    )
    model = build_model(said.resolve())
    return Loaded(model, size, None, None, form=form_of(values, ImageForm(3)))


def _of_run(values: flags.FlagValues, model: Learner, recipe: ResolvedRecipe) -> Loaded:
    """A run's encoder; the images of one that was converted are not known."""
    size = values.image_size or recipe.image_size
    form = form_of(values, recipe.form)
    if RunFolder(values.run).converted_from() is not None:
        return Loaded(model, size, None, None, form=form)
    return Loaded(
        model, size, recipe.dataset, recipe.test_dataset, recipe, form, values.run
    )


def _from_published(values: flags.FlagValues) -> Loaded:
    weights = PublishedWeights(values.published)
    recipe = recipe_of(
        weights,
        encoder=values.encoder,
        image_size=values.image_size,
        head_layers=values.head_layers,
        precision=values.precision,
    )
    model = build_model(recipe)
    if not values.random:
        loaded = weights.load_into(model)
        say(f"{values.published}: {recipe.encoder}, {loaded}.")
    form = form_of(values, ImageForm(3))
    return Loaded(model, recipe.image_size, None, None, form=form)


def load_model(values: flags.FlagValues) -> tuple[Learner, Loaded]:
    """As `load`, for those that need the whole model: a SavedModel has no more."""
    if values.saved_model:
        raise UsageError(
            "--saved_model is exported already: name what it was made of, by --run or "
            "--published."
        )
    loaded = load(values)
    return cast(Learner, loaded.encoder), loaded


def _from_saved_model(values: flags.FlagValues) -> Loaded:
    path = values.saved_model
    if not tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        raise UsageError(f"{path} is no SavedModel: it has no saved_model.pb.")
    if values["precision"].present:
        raise UsageError(
            f"--saved_model={path} computes in the precision that it was exported in: "
            "leave out --precision, or export the run again with it."
        )
    try:
        with readable_saved_model(path) as readable:
            encoder = tf.saved_model.load(readable)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UsageError(
            f"{path} cannot be loaded as a SavedModel: {str(error).splitlines()[0]}"
        ) from error
    if not callable(encoder):
        raise UsageError(
            f"{path} is a SavedModel that cannot be called with images; simclr export "
            "makes one that can."
        )
    size = values.image_size or image_size_of(path) or 224
    form = form_of(values, ImageForm(channels_of(path), value_range_of(path)))
    return Loaded(encoder, size, None, None, form=form)


def form_of(values: flags.FlagValues, form: ImageForm) -> ImageForm:
    """The form of an encoder's images, with the range that is said."""
    said = values.value_range
    return form if said is None else form._replace(value_range=said)


def features(
    loaded: Loaded, source: Source, batch_size: int, *, tell: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features and labels of all images of a source, with progress.

    Images that cannot be read are left out; `source.unreadable()` says which. More
    than 1 GB of features lie in a file that is mapped into memory, see `gather`.

    Args:
      loaded: an encoder, and what it sees of images.
      source: the images.
      batch_size: images encoded at a time.
      tell: whether to say how many images are left out.
    """
    if loaded.run is not None:
        recall_verdicts(source, loaded.run)
    batches = evaluation_batches(
        source, batch_size=batch_size, image_size=loaded.image_size
    )
    progress = Progress(source.num_examples)

    def advance(done: int) -> None:
        if progress.due():
            progress.show(done)

    try:
        with data_errors(source):
            encoded = encode_batches(loaded.encoder, batches)
            h, labels = gather(encoded, len(source), progress=advance)
    finally:
        progress.clear()
    bad = source.unreadable()
    if len(bad) and tell:
        say(f"{len(bad):,} of {len(h):,} images cannot be read, and are left out.")
    labels = None if labels is None else np.delete(labels, bad)
    return without_rows(h, bad), labels
