"""Settings of a distillation."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Optional

from simclr_tf.data.train_labels import require_train_labels
from simclr_tf.errors import UserError
from simclr_tf.training.classifier_settings import (
    ClassifierTraining,
    ResolvedClassifierTraining,
)
from simclr_tf.training.flagfile import SettingsKind
from simclr_tf.training.setting import setting

_OF_ITSELF, _OF_ANOTHER = 0.1, 1.0


# Optional[...], not "|": see `Recipe`.
@dataclasses.dataclass(frozen=True)
class Distillation(ClassifierTraining):
    """What the user says of a distillation; None stands for a default of `resolve`.

    Examples:
      >>> settings = simclr_tf.training.Distillation(
      ...     teacher="runs/photos_labels", encoder="resnet18x0.25"
      ... )
    """

    teacher: Optional[str] = setting(
        None,
        "run folder of simclr finetune, or distill, whose classifier teaches; what it "
        "says is not said again",
    )
    temperature: Optional[float] = setting(
        None,
        f"temperature of both models' answers; {_OF_ITSELF} where the student is of "
        f"the teacher's architecture, else {_OF_ANOTHER}, as published",
    )
    label_weight: float = setting(
        0.0,
        "weight of the labels' cross entropy, from 0, no labels are used, to below 1; "
        "the teacher's answers have the rest",
    )
    train_labels: Optional[str] = setting(
        None,
        "labels that are used with --label_weight, see simclr finetune; those that the "
        "teacher learned from by default, and drawn by its seed",
    )

    def __post_init__(self) -> None:
        """See `ClassifierTraining`."""
        super().__post_init__()
        if self.train_labels is not None:
            require_train_labels(self.train_labels)
        if not 0.0 <= self.label_weight < 1.0:
            raise UserError(
                f"label_weight must be 0 or more and below 1, got {self.label_weight}."
            )

    def resolve(
        self, images: int, *, replicas: int = 1, of_itself: bool = False
    ) -> ResolvedDistillation:
        """All settings, with the defaults that the images bring.

        Args:
          images: to learn from.
          replicas: that share a batch.
          of_itself: whether the student is of the teacher's architecture.

        Raises:
          UserError: where a setting is out of its range.
        """
        said = self.completed(images, replicas, anew=self.init is None)
        if said.temperature is None:
            temperature = _OF_ITSELF if of_itself else _OF_ANOTHER
            said = dataclasses.replace(said, temperature=temperature)
        return ResolvedDistillation.of(said)


@dataclasses.dataclass(frozen=True)
class ResolvedDistillation(ResolvedClassifierTraining):
    """All settings of a distillation, each in its range; see `Distillation`.

    Raises:
      UserError: where a setting is out of its range.
    """

    fine_tune_after_block: ClassVar[int] = -1  # All of a student learns.

    teacher: str
    temperature: float
    label_weight: float
    train_labels: str


DISTILLATION = SettingsKind("distill", Distillation, ResolvedDistillation)
