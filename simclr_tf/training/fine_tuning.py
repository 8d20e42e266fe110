"""Settings of a fine-tuning."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Optional, Union

from simclr_tf.augmentation import parse_views
from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.data import NOTATION, ImageForm
from simclr_tf.data.train_labels import require_train_labels
from simclr_tf.errors import UserError
from simclr_tf.image_size import (
    ImageSize,
    longer_side,
    parse_image_size,
    shorter_side,
)
from simclr_tf.training.fitting import require_fit_for_encoder, require_parts_of_wholes
from simclr_tf.training.flagfile import SettingsKind
from simclr_tf.training.interval import Interval
from simclr_tf.training.ranges import CHOICES, require_allowed
from simclr_tf.training.setting import setting

_SMALL = 32  # pixels
_BATCH, _SMALL_BATCH = 64, 128
_LEAST_EPOCHS, _LEAST_STEPS = 30, 600
# What starts anew needs more of both.
_SCRATCH_TIMES = 3
_NOTED_TIMES = 30  # lines and saved states of a run, about
_MAY_BE_NONE = ("init", "test_dataset", "value_range")


# Optional[...] and Union[...], not "|": see `Recipe`.
@dataclasses.dataclass(frozen=True)
class FineTuning:
    """What the user says of a fine-tuning; None stands for a default of `resolve`.

    Each field's metadata is that of a `Recipe`'s.
    """

    init: Optional[str] = setting(
        None,
        "what is fine-tuned: a run folder of pretrain; a SavedModel of simclr export, "
        "which needs --encoder; see simclr pretrain --init",
    )
    from_scratch: bool = setting(
        False,
        "start from random weights, of the architecture of --init or --encoder: the "
        "supervised baseline",
    )
    dataset: Optional[str] = setting(
        None, f"labelled images: {NOTATION}; those of the run --init by default"
    )
    test_dataset: Optional[str] = setting(
        None,
        "labelled images to measure on, in the same notation; the dataset's test split "
        "by default, or a fifth of it held out",
        changes_training=False,
    )
    train_labels: str = setting(
        "all",
        "labels to learn from: all; a share, such as 0.01, equally many of each class; "
        "25-per-class; or file:PATH, names of image files or their places in the "
        "dataset, a line each",
    )
    fine_tune_after_block: int = setting(
        -1,
        "the last part of the encoder that stays as it is, statistics of batch norm "
        "included: -1 none, all learns; 0 the stem; 1 to 3 the groups of a resnet, or "
        "quarters of a transformer; 4 the whole encoder",
    )
    head_layers_kept: int = setting(
        0,
        "layers of the projection head that stay below the classifier and learn: 0 as "
        "in SimCLR v1, 1 as in v2",
    )
    image_size: Optional[Union[int, str, tuple[int, int]]] = setting(  # noqa: UP007
        None,
        "side of the views in pixels, or height and width as in 96x160; that of the "
        "run --init by default",
    )
    channels: Optional[int] = setting(
        None, "channels of the images; those of the run --init by default, else 3"
    )
    value_range: Optional[str] = setting(
        None,
        "values of black and white, as in 0,4095; see simclr pretrain. Those of the "
        "run --init by default",
    )
    encoder: Optional[str] = setting(
        None, "architecture, such as resnet50; that of the run --init by default"
    )
    views: Optional[str] = setting(
        None,
        "what makes a view of an image, see simclr pretrain; crop(0.08)|flip by "
        "default, as published, and crop(0.2)|flip up to 32 px",
    )
    optimizer: str = setting("sgd", "optimizer", CHOICES["optimizer"])
    learning_rate: Optional[float] = setting(
        None, "learning rate before scaling; 0.1, and 0.4 with --from_scratch"
    )
    learning_rate_scaling: str = setting(
        "linear",
        "scaling of the learning rate with the batch: linear is x batch/256, sqrt is "
        "x sqrt(batch)",
        CHOICES["learning_rate_scaling"],
    )
    momentum: float = setting(0.9, "momentum of sgd and lars")
    weight_decay: Optional[float] = setting(
        None, "weight decay; 0, and 5e-4 with --from_scratch"
    )
    batch_size: Optional[int] = setting(
        None,
        "images a step over all replicas; at most a quarter of the labelled images, "
        f"and at most {_SMALL_BATCH} up to 32 px, else {_BATCH}",
    )
    micro_batches: int = setting(
        1, "pieces that each replica's batch is trained in, to save memory"
    )
    rematerialize: bool = setting(
        False,
        "save memory by keeping only the input of each residual block for the backward "
        "pass",
        changes_training=False,
    )
    epochs: Optional[int] = setting(
        None,
        f"passes over the labelled images; {_LEAST_EPOCHS}, and more where those take "
        f"fewer than {_LEAST_STEPS} steps; {_SCRATCH_TIMES} times that with "
        "--from_scratch",
    )
    warmup_epochs: Optional[float] = setting(
        None, "epochs in which the learning rate rises; a twentieth of them by default"
    )
    eval_every: Optional[Union[int, str]] = setting(  # noqa: UP007
        None,
        "epochs from one measurement on test images to the next, such as 5, or steps, "
        f"such as 500steps; about {_NOTED_TIMES} in a run by default",
        changes_training=False,
    )
    precision: str = setting(
        "float32",
        "arithmetic of the layers; the loss is float32 at least",
        CHOICES["precision"],
    )
    augment_on: str = setting(
        "host",
        "what makes the views: the host's CPU in the input pipeline, or the device",
        CHOICES["augment_on"],
        changes_training=False,
    )
    steps_per_execution: int = setting(
        1,
        "steps a device takes before it returns to Python; more pay on a TPU",
        changes_training=False,
    )
    seed: int = setting(0, "seed of the labels chosen, weights, order and views")

    def __post_init__(self) -> None:
        """Gives sizes and ranges the one form they have; UserError if they are none."""
        require_train_labels(self.train_labels)
        if self.image_size is not None:
            size = parse_image_size(self.image_size)
            object.__setattr__(self, "image_size", size)
        if self.value_range is not None:
            black, white = parse_value_range(self.value_range)
            object.__setattr__(self, "value_range", f"{black:.17g},{white:.17g}")
        if self.from_scratch and self.head_layers_kept:
            raise UserError(
                "head_layers_kept must be 0 with from_scratch: there is no projection "
                "head to keep layers of."
            )
        if self.from_scratch and self.fine_tune_after_block != -1:
            raise UserError(
                "fine_tune_after_block must be -1 with from_scratch: frozen parts "
                "would stay random."
            )

    @property
    def form(self) -> ImageForm:
        """What is said of the data's images."""
        return ImageForm.of(self.channels, self.value_range)

    @property
    def loaded_size(self) -> int:
        """The `image_size` that images are loaded for."""
        assert self.image_size is not None
        return longer_side(parse_image_size(self.image_size))

    def resolve(self, images: int, *, replicas: int = 1) -> ResolvedFineTuning:
        """All settings, with the defaults that the labelled images bring.

        Args:
          images: labelled images to learn from.
          replicas: that share a batch.

        Raises:
          UserError: where a setting is out of its range.
        """
        assert self.image_size is not None
        size = parse_image_size(self.image_size)
        small = shorter_side(size) <= _SMALL
        batch = self.batch_size
        if batch is None:
            parts = replicas * max(self.micro_batches, 1)
            most = min(_SMALL_BATCH if small else _BATCH, images // 4)
            batch = max(most - most % parts, parts, 2)
        epochs = self.epochs
        if epochs is None:
            steps = max(images // max(batch, 1), 1)
            epochs = max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / steps))
            epochs *= _SCRATCH_TIMES if self.from_scratch else 1
        values: dict[str, Any] = {
            "views": "crop(0.2)|flip" if small else "crop(0.08)|flip",
            "learning_rate": 0.4 if self.from_scratch else 0.1,
            "weight_decay": 5e-4 if self.from_scratch else 0.0,
            "channels": 3,
            "warmup_epochs": epochs / 20,
            "eval_every": noted_every(epochs),
        }
        missing = {k: v for k, v in values.items() if getattr(self, k) is None}
        complete = dataclasses.replace(self, batch_size=batch, epochs=epochs, **missing)
        return ResolvedFineTuning.of(complete)

    def completed_by(self, run: ResolvedFineTuning) -> FineTuning:
        """These settings, and what they leave open as a run has it."""
        values = {
            name: value
            for name, value in dataclasses.asdict(run).items()
            if getattr(self, name) is None and name != "test_dataset"
        }
        return dataclasses.replace(self, **values)


def noted_every(epochs: int) -> int:
    """Epochs from one line, row and saved state of a run to the next."""
    return max(epochs // _NOTED_TIMES, 1)


@dataclasses.dataclass(frozen=True)
class ResolvedFineTuning:
    """All settings of a fine-tuning, each in its range; see `FineTuning`.

    Raises:
      UserError: where a setting is out of its range.
    """

    init: Optional[str]
    from_scratch: bool
    dataset: str
    test_dataset: Optional[str]
    train_labels: str
    fine_tune_after_block: int
    head_layers_kept: int
    image_size: ImageSize
    channels: int
    value_range: Optional[str]
    encoder: str
    views: str
    optimizer: str
    learning_rate: float
    learning_rate_scaling: str
    momentum: float
    weight_decay: float
    batch_size: int
    micro_batches: int
    rematerialize: bool
    epochs: int
    warmup_epochs: float
    eval_every: Union[int, str]  # noqa: UP007
    precision: str
    augment_on: str
    steps_per_execution: int
    seed: int

    @classmethod
    def of(cls, said: FineTuning) -> ResolvedFineTuning:
        """Settings that leave nothing open, as ones that say so by their type.

        Raises:
          UserError: where one is None that must be known, or out of its range.
        """
        values = {f.name: getattr(said, f.name) for f in dataclasses.fields(cls)}
        missing = [n for n, v in values.items() if v is None and n not in _MAY_BE_NONE]
        if missing:
            raise UserError(f"{', '.join(missing)} must be set.")
        interval = Interval.parse("eval_every", values["eval_every"])
        return cls(**{**values, "eval_every": interval.setting})

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None:
                least = shorter_side(self.image_size) if name == "image_size" else value
                require_allowed(name, least)
        Interval.parse("eval_every", self.eval_every)
        parse_views(self.views, self.image_size, self.channels)
        require_parts_of_wholes(self)
        require_fit_for_encoder(self)

    @property
    def extensions(self) -> tuple[int, ...]:
        """Epochs that were added: none, a fine-tuning is not extended."""
        return ()

    @property
    def all_epochs(self) -> int:
        """Epochs of the whole run."""
        return self.epochs

    @property
    def noted_every(self) -> int:
        """Epochs from one row, line and saved state to the next."""
        return noted_every(self.epochs)

    @property
    def form(self) -> ImageForm:
        """What is said of the data's images."""
        return ImageForm.of(self.channels, self.value_range)


FINETUNING = SettingsKind("finetune", FineTuning, ResolvedFineTuning)
