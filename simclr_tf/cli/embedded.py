"""What embed and search share: a dataset's features, made part by part and kept."""

from __future__ import annotations

import hashlib
import os
from typing import cast

import tensorflow as tf
from absl import flags

from simclr_tf.cli import encoder_flags
from simclr_tf.data import Source
from simclr_tf.embeddings import (
    Parts,
    embed_source,
    embedding_digest,
    saved_model_digest,
    weights_digest,
)
from simclr_tf.messages import say
from simclr_tf.model import Learner
from simclr_tf.training import Stopped
from simclr_tf.training.image_verdicts import recall_verdicts
from simclr_tf.training.stop_signal import StopSignal


def digest(
    values: flags.FlagValues, loaded: encoder_flags.Loaded, source: Source
) -> str:
    """A digest of all that a dataset's features depend on.

    Args:
      values: of the flags of `encoder_flags`.
      loaded: the encoder that they name.
      source: the images.
    """
    if values.saved_model:
        encoder = saved_model_digest(values.saved_model)
    else:
        encoder = weights_digest(cast(Learner, loaded.encoder).encoder)
    name = loaded.recipe.encoder if loaded.recipe else values.encoder
    settings = {
        "encoder": name,
        "image_size": loaded.image_size,
        "form": loaded.form,
        "precision": values.precision,
        "tensorflow": tf.__version__,
    }
    return embedding_digest(source, encoder, settings)


def fill(
    parts: Parts,
    loaded: encoder_flags.Loaded,
    source: Source,
    batch_size: int,
    stop: StopSignal,
) -> None:
    """Encodes the images whose features are not among the parts yet.

    Args:
      parts: takes the features.
      loaded: an encoder, and what it sees of images.
      source: the images.
      batch_size: images encoded at a time.
      stop: entered; a signal that it notes ends the work.

    Raises:
      Stopped: by a signal; what was encoded is kept.
    """
    if 0 < parts.count < len(source):
        say(f"Going on after {parts.count:,} of {len(source):,} images.")
    if loaded.run is not None:
        recall_verdicts(source, loaded.run)
    ended = embed_source(
        loaded.encoder,
        source,
        parts,
        image_size=loaded.image_size,
        batch_size=batch_size,
        should_stop=lambda: stop.requested,
    )
    if not ended:
        raise stopped(parts, len(source))


def stopped(parts: Parts, total: int) -> Stopped:
    """Says how far a command came, and where that is kept."""
    return Stopped(
        f"Stopped after {parts.count:,} of {total:,} images; their features are kept "
        f"in {parts.folder}. The same command goes on from there."
    )


def kept(parts: Parts, total: int) -> str:
    """Where the features lie that were made before a disk was full, if any."""
    if not parts.count:
        return ""
    return (
        f"The features of {parts.count:,} of {total:,} images are kept in "
        f"{parts.folder}: with room for more, the same command goes on from there."
    )


def say_left_out(bad: int, total: int) -> None:
    """Says how many images cannot be read, if any."""
    if bad:
        say(f"{bad:,} of {total:,} images cannot be read, and are left out.")


def folder_of(parent: str, name: str, of_all: str) -> str:
    """The folder of parts of one dataset, by one encoder with its weights.

    Args:
      parent: the folder that holds it.
      name: what the folders of one purpose begin with.
      of_all: the `digest`.
    """
    short = hashlib.sha256(of_all.encode()).hexdigest()[:16]
    return os.path.join(parent, f"{name}-{short}")


def outdated(folder: str) -> list[str]:
    """Folders of the same purpose as one of `folder_of`, for what has changed since."""
    parent, own = os.path.split(folder)
    name = own.rpartition("-")[0]
    try:
        found = tf.io.gfile.listdir(parent or ".")
    except tf.errors.NotFoundError:
        return []
    names = [other.rstrip("/") for other in found]
    return [
        os.path.join(parent, other)
        for other in names
        if other != own and other.rpartition("-")[0] == name
    ]
