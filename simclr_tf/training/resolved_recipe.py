"""Settings of a run as they are: complete, and each in its range."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Optional, Union

from simclr_tf.augmentation import parse_views
from simclr_tf.data.image_form import ImageForm
from simclr_tf.encoder.registry import capabilities_of
from simclr_tf.errors import UserError
from simclr_tf.evaluators import make_evaluators
from simclr_tf.image_size import (
    ImageSize,
    image_size_text,
    scaled_to,
    shorter_side,
)
from simclr_tf.methods import method_class
from simclr_tf.training.fitting import require_fit_for_encoder, require_parts_of_wholes
from simclr_tf.training.interval import Interval
from simclr_tf.training.ranges import require_allowed

# What `views` is put together from, where it is not said.
SAYING_VIEWS = ("color_strength", "blur", "crop_min_area")
# Settings that a run which is resumed does not bring: None says something of its own.
NOT_OF_A_RUN = ("test_dataset", "eval_dataset", "head_hidden_dim")
# Settings without a default: None says that there is nothing to set.
_MAY_BE_NONE = (*NOT_OF_A_RUN, "extend_epochs", "init", "value_range")


@dataclasses.dataclass(frozen=True)
class ResolvedRecipe:
    """All settings of a run, each in its range; `Recipe` tells what they mean.

    `views` holds what `color_strength`, `blur` and `crop_min_area` say of a `Recipe`.

    `test_dataset` and `eval_dataset` are None where the dataset is measured on itself,
    `head_hidden_dim` where it is the encoder's width, `extend_epochs` where nothing was
    added to `epochs`, and `init` where the encoder's weights are random at first.

    Raises:
      UserError: where a setting is out of its range.
    """

    dataset: str
    test_dataset: Optional[str]
    method: str
    labels: bool
    eval: str
    eval_every: Union[int, str]  # noqa: UP007
    eval_dataset: Optional[str]
    pretrain_on_all: bool
    image_size: ImageSize
    channels: int
    value_range: Optional[str]
    encoder: str
    init: Optional[str]
    head_layers: int
    head_hidden_dim: Optional[int]
    head_out_dim: int
    views: str
    early_view_size: int
    early_share: float
    temperature: float
    optimizer: str
    learning_rate: float
    learning_rate_scaling: str
    momentum: float
    weight_decay: float
    batch_size: int
    micro_batches: int
    rematerialize: bool
    epochs: int
    extend_epochs: Optional[str]
    warmup_epochs: float
    precision: str
    augment_on: str
    steps_per_execution: int
    seed: int

    @classmethod
    def of(cls, recipe: Any) -> ResolvedRecipe:
        """A recipe that leaves nothing open, as one that says so by its type.

        Args:
          recipe: a `Recipe`, whose module needs this one and is not imported here.

        Raises:
          UserError: where a setting is None that must be known, or out of its range.
        """
        if recipe.views is None:
            recipe = dataclasses.replace(recipe, views=_views(recipe))
        if recipe.channels is None:  # Of a run of a version that knew RGB alone.
            recipe = dataclasses.replace(recipe, channels=3)
        settings = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(cls)}
        if recipe.eval_every is None:  # Of a run that was not asked.
            settings["eval_every"] = 1
        interval = Interval.parse("eval_every", settings["eval_every"])
        settings["eval_every"] = interval.setting
        open_settings = [
            name
            for name, value in settings.items()
            if value is None and name not in _MAY_BE_NONE
        ]
        if open_settings:
            raise UserError(f"{', '.join(open_settings)} must be set.")
        return cls(**settings)

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None:
                least = shorter_side(self.image_size) if name == "image_size" else value
                require_allowed(name, least)
        Interval.parse("eval_every", self.eval_every)
        self._require_extensions()
        make_evaluators(self.eval)
        parse_views(self.views, self.image_size, self.channels)
        require_parts_of_wholes(self)
        self._require_fit_for_method()
        self._require_one_to_measure_on()
        self._require_fit_for_encoder()

    def _require_extensions(self) -> None:
        try:
            allowed = all(epochs >= 1 for epochs in self.extensions)
        except ValueError:
            allowed = False
        if not allowed:
            raise UserError(
                "extend_epochs must be a number of epochs, such as 20, or several with "
                f"commas, got {self.extend_epochs!r}."
            )

    def _require_one_to_measure_on(self) -> None:
        if self.eval_dataset is not None and self.test_dataset is not None:
            raise UserError(
                "test_dataset and eval_dataset both say what is measured on: leave out "
                "one."
            )
        if self.eval_dataset == self.dataset:
            raise UserError(
                "eval_dataset is the dataset that is learned from: leave it out, and a "
                "part is held out to measure on."
            )

    def _require_fit_for_encoder(self) -> None:
        can = capabilities_of(self.encoder)
        require_fit_for_encoder(self)
        if self.early_share and can.takes_any_size is False:
            raise UserError(
                f"early_share must be 0 with {self.encoder}, which takes images of one "
                f"size, got {self.early_share:g}."
            )

    def _require_fit_for_method(self) -> None:
        method = method_class(self.method)
        if method.learns_from_labels and not self.labels:
            raise UserError(
                f"method {self.method} learns from labels: leave out --nolabels."
            )
        one_size = capabilities_of(self.encoder).takes_any_size is False
        if method.resizes and one_size:
            raise UserError(
                f"method {self.method} shows pieces of views to the encoder, and "
                f"{self.encoder} takes images of one size: choose a resnet."
            )
        if method.needs_squares and not isinstance(self.image_size, int):
            raise UserError(
                f"image_size must be a square for method {self.method}, which turns "
                f"views or cuts them in pieces, got {image_size_text(self.image_size)}."
            )
        for name, used, side in (
            ("image_size", True, shorter_side(self.image_size)),
            ("early_view_size", self.early_epochs, self.early_view_size),
        ):
            if used and side < method.least_side:
                raise UserError(
                    f"{name} must be {method.least_side} or more for method "
                    f"{self.method}, got {side}."
                )

    @property
    def extensions(self) -> tuple[int, ...]:
        """Epochs that were added, each time."""
        said = self.extend_epochs
        return () if said is None else tuple(int(each) for each in said.split(","))

    @property
    def all_epochs(self) -> int:
        """Epochs of the whole run, with those that were added."""
        return self.epochs + sum(self.extensions)

    @property
    def noted_every(self) -> int:
        """Epochs from one row, line and saved state to the next."""
        return 1

    @property
    def early_epochs(self) -> int:
        """Epochs, from the first, whose views are `early_view_size` wide.

        The last epoch is none of them, unless all are: what is evaluated and exported
        sees images of full size.
        """
        early = round(self.early_share * self.epochs)
        return early if self.early_share == 1 else min(early, self.epochs - 1)

    def view_size(self, epoch: int) -> ImageSize:
        """Size of the views of an epoch, the first being 0."""
        if epoch < self.early_epochs:
            return scaled_to(self.image_size, self.early_view_size)
        return self.image_size

    @property
    def form(self) -> ImageForm:
        """What the recipe says of the data's images."""
        return ImageForm.of(self.channels, self.value_range)


def _views(recipe: Any) -> str | None:
    """The layers that settings of the paper's recipe describe; None where one is."""
    if any(getattr(recipe, name) is None for name in SAYING_VIEWS):
        return None
    for name in SAYING_VIEWS:
        require_allowed(name, getattr(recipe, name))
    layers = [f"crop({recipe.crop_min_area})", "flip"]
    if recipe.color_strength:
        layers.append(f"jitter({recipe.color_strength})")
        # Other images than RGB have no greyscale, and those of one channel are grey.
        layers += ["gray"] if recipe.channels in (None, 3) else []
    return "|".join([*layers, "blur"] if recipe.blur else layers)


_PAPERS_VIEWS = re.compile(
    r"crop\(([^()]+)\)\|flip(?:\|jitter\(([^()]+)\)(?:\|gray)?)?(\|blur)?"
)


def said_by_views(views: str) -> dict[str, Any]:
    """The settings of the paper's recipe that `_views` made views of; empty if none."""
    found = _PAPERS_VIEWS.fullmatch(views)
    if found is None:
        return {}
    crop, color, blur = found.groups()
    return {
        "color_strength": float(color or 0),
        "blur": blur is not None,
        "crop_min_area": float(crop),
    }
