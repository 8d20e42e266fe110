"""`simclr prepare`: a data set as sharded TFRecord files."""

from __future__ import annotations

from absl import flags

from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.cli import encoder_flags, output
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.data import NOTATION, ImageForm, load_splits, write_prepared
from simclr_tf.data.prepared import MANIFEST
from simclr_tf.export.replacement import replacing, require_replaceable
from simclr_tf.messages import say


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "dataset",
        None,
        f"images: {NOTATION}; not those in TFRecord files",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "folder to write, which --dataset=tfrecord:FOLDER then reads",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "labels",
        True,
        "whether to keep labels, where there are any",
        flag_values=values,
    )
    flags.DEFINE(
        encoder_flags.Parsed(parse_value_range),
        "value_range",
        None,
        "values of black and white in PNG and TIFF files of more than 8 bits and in "
        "npz images, as in 0,4095; they are written in 8 bits, or in floating point",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "shard_megabytes",
        256,
        "megabytes of images in a file, about",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    if values.dataset is None or values.output is None:
        raise UsageError("Name the images with --dataset and a folder with --output.")
    if values.dataset.startswith("tfrecord:"):
        raise UsageError(f"{values.dataset} is TFRecord already.")
    if values.shard_megabytes < 1:
        raise UsageError("--shard_megabytes must be 1 or more.")
    require_replaceable(values.output, MANIFEST)
    output.require_writable(values.output)
    form = ImageForm(value_range=values.value_range)
    sources = load_splits(values.dataset, labels=values.labels, form=form)
    for source in sources.values():
        say(str(source))
    with replacing(values.output) as folder:
        manifest = write_prepared(
            sources, folder, shard_bytes=values.shard_megabytes * 10**6
        )
    for split, about in manifest["splits"].items():
        left_out = len(about["left_out"])
        say(
            f"{split}: {about['images']:,} images in {len(about['files']):,} files"
            + (f"; {left_out:,} that cannot be read are left out." if left_out else ".")
        )
    say(f"Written to {values.output}: --dataset=tfrecord:{values.output} reads it.")


WORK = Work(
    define=_define,
    run=_run,
    example="simclr prepare --dataset=folder:scans --output=scans_prepared",
)
