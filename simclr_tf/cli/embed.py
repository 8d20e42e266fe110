"""`simclr embed`: features of a dataset into a file."""

from __future__ import annotations

import io

import numpy as np
from absl import flags

from simclr_tf.cli import encoder_flags, output
from simclr_tf.cli.command import Command, UsageError
from simclr_tf.data import NOTATION, load
from simclr_tf.messages import say


def _define(values: flags.FlagValues) -> None:
    encoder_flags.define(values)
    flags.DEFINE_string(
        "dataset",
        None,
        f"images: {NOTATION}; the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_string("split", "train", "split of the dataset", flag_values=values)
    flags.DEFINE_string("output", "embeddings.npz", "file to write", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    loaded = encoder_flags.load(values)
    dataset = values.dataset or loaded.dataset
    if dataset is None:
        raise UsageError("Name the images with --dataset.")
    size, form = loaded.loaded_size, loaded.form
    source = load(dataset, values.split, image_size=size, form=form)
    say(str(source))
    features, labels = encoder_flags.features(loaded, source, values.batch_size)
    arrays = {"features": features}
    if labels is not None:
        arrays["labels"] = labels
    if source.class_names is not None:
        arrays["classes"] = np.array(source.class_names)
    if source.paths is not None:
        arrays["paths"] = np.delete(np.array(source.paths), source.unreadable())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    output.write(values.output, buffer.getvalue())
    count, width = features.shape
    say(
        f"{count:,} features of {width} numbers, with {', '.join(arrays)}, are in "
        f"{values.output}."
    )


EMBED = Command(
    name="embed",
    summary="features of a dataset into an .npz file",
    define=_define,
    run=_run,
    example="simclr embed --run=runs/photos --dataset=folder:photos --output=h.npz",
)
