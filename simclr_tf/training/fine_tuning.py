"""Settings of a fine-tuning."""

from __future__ import annotations

import dataclasses

from simclr_tf.data.train_labels import require_train_labels
from simclr_tf.errors import UserError
from simclr_tf.training.classifier_settings import (
    ClassifierTraining,
    ResolvedClassifierTraining,
)
from simclr_tf.training.flagfile import SettingsKind
from simclr_tf.training.setting import setting


@dataclasses.dataclass(frozen=True)
class FineTuning(ClassifierTraining):
    """What the user says of a fine-tuning; None stands for a default of `resolve`.

    Examples:
      >>> settings = simclr_tf.training.FineTuning(
      ...     init="runs/photos", train_labels="0.1"
      ... )
    """

    from_scratch: bool = setting(
        False,
        "start from random weights, of the architecture of --init or --encoder: the "
        "supervised baseline",
    )
    train_labels: str = setting(
        "all",
        "labels to learn from: all; a share, such as 0.01, equally many of each class; "
        "25-per-class; or file:PATH, names of image files, with their folders where "
        "they repeat, or their places in the dataset, a line each",
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

    pseudo_label_rounds: int = setting(
        0,
        "rounds of training in which confident guesses of the run before, on images "
        "whose labels are not used, join the labels; each run lies beside this one, in "
        "RUN.round0 and so on, and begins anew from --init",
    )
    pseudo_label_threshold: float = setting(
        0.9, "least probability of a guess that joins the labels"
    )

    def __post_init__(self) -> None:
        """See `ClassifierTraining`."""
        super().__post_init__()
        require_train_labels(self.train_labels)
        if self.pseudo_label_rounds < 0:
            raise UserError(
                "pseudo_label_rounds must be 0 or more, got "
                f"{self.pseudo_label_rounds}."
            )
        if not 0.0 <= self.pseudo_label_threshold <= 1.0:
            raise UserError(
                "pseudo_label_threshold must be 0 to 1, got "
                f"{self.pseudo_label_threshold:g}."
            )
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

    def resolve(
        self, images: int, *, replicas: int = 1, guessed: int = 0
    ) -> ResolvedFineTuning:
        """All settings, with the defaults that the labelled images bring.

        Args:
          images: labelled images to learn from.
          replicas: that share a batch.
          guessed: of these, how many have a guess for a label.

        Raises:
          UserError: where a setting is out of its range.
        """
        return ResolvedFineTuning.of(
            self.completed(images, replicas, anew=self.from_scratch, guessed=guessed)
        )


@dataclasses.dataclass(frozen=True)
class ResolvedFineTuning(ResolvedClassifierTraining):
    """All settings of a fine-tuning, each in its range; see `FineTuning`.

    Raises:
      UserError: where a setting is out of its range.
    """

    from_scratch: bool
    train_labels: str
    fine_tune_after_block: int
    head_layers_kept: int
    pseudo_label_rounds: int
    pseudo_label_threshold: float


FINETUNING = SettingsKind("finetune", FineTuning, ResolvedFineTuning)
