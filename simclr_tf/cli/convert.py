"""`simclr convert`: published weights as a run folder."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli.command import UsageError, Work
from simclr_tf.cli.encoder_flags import PUBLISHED, Parsed
from simclr_tf.image_size import parse_image_size
from simclr_tf.training.convert import convert


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("published", None, PUBLISHED, flag_values=values)
    flags.DEFINE_string(
        "encoder",
        None,
        "its architecture, such as resnet50x2, resnet50-sk or, of PyTorch, "
        "resnet50-torch; told from the weights' shapes by default",
        flag_values=values,
    )
    flags.DEFINE_string(
        "run",
        None,
        "folder to write; knn, export and others take it",
        flag_values=values,
    )
    flags.DEFINE(
        Parsed(parse_image_size),
        "image_size",
        None,
        "side in pixels of the images that the encoder sees, or height and width as in "
        "96x160; 224, or 32 where its stem is for small images",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "head_layers",
        None,
        "layers of the projection head, 0 to 3; those that the weights have by default",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    for name in ("published", "run"):
        if not values[name].value:
            raise UsageError(f"convert needs --{name}. See simclr convert --help.")
    convert(
        values.published,
        values.run,
        encoder=values.encoder,
        image_size=values.image_size,
        head_layers=values.head_layers,
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr convert --published=r50_1x_sk0 --encoder=resnet50 --run=runs/r50",
)
