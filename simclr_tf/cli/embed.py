"""`simclr embed`: features of a dataset into a file."""

from __future__ import annotations

import os

import tensorflow as tf
from absl import flags

from simclr_tf import whole_files
from simclr_tf.cli import embedded, encoder_flags, output
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.data import NOTATION, load
from simclr_tf.embeddings import FORMATS, Parts, Table, writer_for
from simclr_tf.messages import say
from simclr_tf.training.stop_signal import StopSignal


def _define(values: flags.FlagValues) -> None:
    encoder_flags.define(values)
    flags.DEFINE_string(
        "dataset",
        None,
        f"images: {NOTATION}; the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_string("split", "train", "split of the dataset", flag_values=values)
    flags.DEFINE_string(
        "output",
        "embeddings.npz",
        f"file to write, which ends in one of {', '.join(FORMATS)}",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    write = writer_for(values.output)
    loaded = encoder_flags.load(values)
    dataset = values.dataset or loaded.dataset
    if dataset is None:
        raise UsageError("Name the images with --dataset.")
    source = load(
        dataset, values.split, image_size=loaded.loaded_size, form=loaded.form
    )
    say(str(source))
    parent, name = os.path.split(values.output)
    of_all = embedded.digest(values, loaded, source)
    parts = Parts(embedded.folder_of(parent, f".{name}.parts", of_all))
    others = embedded.outdated(parts.folder)
    if others and not parts.count:
        say(
            "Images, weights or settings have changed since this command was stopped: "
            "it begins anew."
        )
    with StopSignal() as stop:

        def go_on() -> None:
            if stop.requested:
                raise embedded.stopped(parts, len(source))

        try:
            embedded.fill(parts, loaded, source, values.batch_size, stop)
        except whole_files.WriteError as error:
            kept = embedded.kept(parts, len(source))
            hint = kept or "Choose another place with --output."
            raise UsageError(f"{error} {hint}") from error
        table = Table(source, parts, before_block=go_on)
        try:
            with output.replacing(values.output) as aside:
                write(table, aside)
        except UsageError as error:
            kept = embedded.kept(parts, len(source))
            raise UsageError(f"{error} {kept}") from error
    for folder in (parts.folder, *others):
        tf.io.gfile.rmtree(folder)
    embedded.say_left_out(len(table.bad), len(source))
    say(
        f"{table.count:,} features of {table.width} numbers, with "
        f"{', '.join(table.columns())}, are in {values.output}."
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr embed --run=runs/photos --dataset=folder:photos --output=h.npz",
)
