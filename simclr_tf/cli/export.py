"""`simclr export`: the encoder as a SavedModel."""

from __future__ import annotations

import os

from absl import flags

from simclr_tf.checkpoints.files import is_pattern
from simclr_tf.cli import encoder_flags, output
from simclr_tf.cli.command import Work
from simclr_tf.export import export_encoder
from simclr_tf.messages import say


def _define(values: flags.FlagValues) -> None:
    encoder_flags.define(values)
    flags.DEFINE_string(
        "output",
        None,
        "folder to write; saved_model in the run folder by default",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    if values.output is not None:
        output.require_writable(values.output)
    model, loaded = encoder_flags.load_model(values)
    path = values.output or os.path.join(values.run or ".", "saved_model")
    output.require_writable(path)
    export_encoder(
        model,
        path,
        image_size=loaded.image_size,
        precision=values.precision,
        value_range=loaded.form.value_range,
    )
    if is_pattern(path):
        say(
            f"Exported to {path}. simclr --saved_model reads it there; TensorFlow "
            "itself takes such a path for a pattern: rename the folder for "
            "tf.saved_model.load."
        )
        return
    say(f"Exported to {path}; tf.saved_model.load({path!r}) needs TensorFlow alone.")


WORK = Work(
    define=_define,
    run=_run,
    example="simclr export --run=runs/photos --output=encoder",
)
