"""Settings that fine-tuning and distillation share: of any training of a classifier."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, Optional, TypeVar, Union

from simclr_tf.augmentation import parse_views
from simclr_tf.data import NOTATION, ImageForm
from simclr_tf.errors import UserError
from simclr_tf.image_size import (
    ImageSize,
    longer_side,
    parse_image_size,
    shorter_side,
)
from simclr_tf.training.fitting import require_fit_for_encoder, require_parts_of_wholes
from simclr_tf.training.interval import Interval
from simclr_tf.training.ranges import CHOICES, require_allowed
from simclr_tf.training.says_images import SaysImages
from simclr_tf.training.setting import setting

_SMALL = 32  # pixels
_BATCH, _SMALL_BATCH = 64, 128
LEAST_EPOCHS, LEAST_STEPS = 30, 600
# What starts anew, or has many images to learn from, gains by more of both.
LONGER_TIMES = 3
# A pretrained start, too, learned more from 2,000 labels and from 8,000 at the rate and
# the weight decay of a new one, and more again in as many epochs: experiments/labels.
MANY = 2_000  # images
NOTED_TIMES = 30  # lines and saved states of a run, about

_Said = TypeVar("_Said", bound="ClassifierTraining")
_Resolved = TypeVar("_Resolved", bound="ResolvedClassifierTraining")


# Optional[...] and Union[...], not "|": see `Recipe`.
@dataclasses.dataclass(frozen=True)
class ClassifierTraining(SaysImages):
    """What the user says of a classifier's training; None stands for a default.

    Each field's metadata is that of a `Recipe`'s.
    """

    init: Optional[str] = setting(
        None,
        "weights that the encoder starts from: a run folder of pretrain; a SavedModel "
        "of simclr export, which needs --encoder; see simclr pretrain --init",
    )
    dataset: Optional[str] = setting(
        None,
        f"images to learn from: {NOTATION}; those of the run --init, or of the "
        "teacher, by default",
    )
    test_dataset: Optional[str] = setting(
        None,
        "labelled images to measure on, in the same notation; the dataset's test split "
        "by default, or a fifth of it held out",
        changes_training=False,
    )
    image_size: Optional[Union[int, str, tuple[int, int]]] = setting(  # noqa: UP007
        None,
        "side of the views in pixels, or height and width as in 96x160; that of "
        "--init, or of the teacher, by default, 224 where --init does not tell it, and "
        "without --init what simclr pretrain has",
    )
    channels: Optional[int] = setting(
        None,
        "channels of the images; those of --init, or the teacher, by default, else 3",
    )
    value_range: Optional[str] = setting(
        None,
        "values of black and white, as in 0,4095; see simclr pretrain. Those of "
        "--init, or of the teacher, by default",
    )
    encoder: Optional[str] = setting(
        None,
        "architecture, such as resnet50; that of the run --init by default, and then "
        "the teacher's",
    )
    views: Optional[str] = setting(
        None,
        'what makes a view of an image, see simclr pretrain --help; "crop(0.08)|flip" '
        'by default, as published, and "crop(0.2)|flip" up to 32 px',
    )
    optimizer: str = setting("sgd", "optimizer", CHOICES["optimizer"])
    learning_rate: Optional[float] = setting(
        None,
        "learning rate before scaling; 0.05 as published, and 0.4 for a start from "
        f"random weights or {MANY:,} images or more to learn from",
    )
    learning_rate_scaling: str = setting(
        "linear",
        "scaling of the learning rate with the batch: linear is x batch/256, sqrt is "
        "x sqrt(batch)",
        CHOICES["learning_rate_scaling"],
    )
    momentum: float = setting(0.9, "momentum of sgd and lars")
    weight_decay: Optional[float] = setting(
        None,
        "weight decay; 0, and 5e-4 for a start from random weights or "
        f"{MANY:,} images or more",
    )
    batch_size: Optional[int] = setting(
        None,
        "images a step over all replicas; at most a quarter of the images, "
        f"and at most {_SMALL_BATCH} up to 32 px, else {_BATCH}",
    )
    micro_batches: int = setting(
        1, "pieces that each replica's batch is trained in, to save memory"
    )
    rematerialize: bool = setting(
        False,
        "save memory by keeping only the input of each residual block for the backward "
        "pass; a step takes some two fifths longer",
        changes_training=False,
    )
    epochs: Optional[int] = setting(
        None,
        f"passes over the images to learn from; {LEAST_EPOCHS}, and more where those "
        f"take fewer than {LEAST_STEPS} steps; {LONGER_TIMES} times that for a start "
        f"from random weights or {MANY:,} images or more",
    )
    warmup_epochs: Optional[float] = setting(
        None, "epochs in which the learning rate rises; a twentieth of them by default"
    )
    eval_every: Optional[Union[int, str]] = setting(  # noqa: UP007
        None,
        "epochs from one measurement on test images to the next, such as 5, or steps, "
        f"such as 500steps; about {NOTED_TIMES} in a run by default",
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

    @property
    def loaded_size(self) -> int:
        """The `image_size` that images are loaded for.

        Raises:
          UserError: where it is not known.
        """
        if self.image_size is None:
            raise UserError(
                "image_size must be said where the start does not say it: the side of "
                "the views in pixels."
            )
        return longer_side(parse_image_size(self.image_size))

    def completed_by(self: _Said, run: ResolvedClassifierTraining) -> _Said:
        """These settings, and what they leave open as a run has it."""
        values = {
            name: value
            for name, value in dataclasses.asdict(run).items()
            if getattr(self, name) is None and name != "test_dataset"
        }
        return dataclasses.replace(self, **values)

    def completed(
        self: _Said, images: int, replicas: int, *, anew: bool, guessed: int = 0
    ) -> _Said:
        """These settings with the defaults that the images bring.

        Args:
          images: to learn from.
          replicas: that share a batch.
          anew: whether the encoder starts from random weights.
          guessed: of these, how many have a guess for a label. Guesses do not make
            few labels many.
        """
        assert self.image_size is not None
        small = shorter_side(parse_image_size(self.image_size)) <= _SMALL
        batch = self.batch_size
        if batch is None:
            parts = replicas * max(self.micro_batches, 1)
            most = min(_SMALL_BATCH if small else _BATCH, images // 4)
            batch = max(most - most % parts, parts, 2)
        much = anew or images - guessed >= MANY
        epochs = self.epochs
        if epochs is None:
            steps = max(images // max(batch, 1), 1)
            epochs = max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / steps))
            epochs *= LONGER_TIMES if much else 1
        values: dict[str, Any] = {
            "views": "crop(0.2)|flip" if small else "crop(0.08)|flip",
            "learning_rate": 0.4 if much else 0.05,
            "weight_decay": 5e-4 if much else 0.0,
            "channels": 3,
            "warmup_epochs": epochs / 20,
            "eval_every": noted_every(epochs),
        }
        missing = {k: v for k, v in values.items() if getattr(self, k) is None}
        return dataclasses.replace(self, batch_size=batch, epochs=epochs, **missing)


def noted_every(epochs: int) -> int:
    """Epochs from one line, row and saved state of a run to the next."""
    return max(epochs // NOTED_TIMES, 1)


@dataclasses.dataclass(frozen=True)
class ResolvedClassifierTraining:
    """All settings of a classifier's training, each in its range.

    Raises:
      UserError: where a setting is out of its range.
    """

    may_be_none: ClassVar[tuple[str, ...]] = ("init", "test_dataset", "value_range")

    init: Optional[str]
    dataset: str
    test_dataset: Optional[str]
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
    def of(cls: type[_Resolved], said: ClassifierTraining) -> _Resolved:
        """Settings that leave nothing open, as ones that say so by their type.

        Raises:
          UserError: where one is None that must be known, or out of its range.
        """
        values = {f.name: getattr(said, f.name) for f in dataclasses.fields(cls)}
        missing = [
            n for n, v in values.items() if v is None and n not in cls.may_be_none
        ]
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
        """Epochs that were added: none, a classifier's training is not extended."""
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
