"""Settings of a pretraining run: what the user said, and what follows from it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Optional

from simclr_tf.augmentation import parse_views
from simclr_tf.encoder.registry import (
    is_resnet,
    require_rematerializable,
    takes_any_size,
)
from simclr_tf.errors import UserError
from simclr_tf.evaluators import make_evaluators
from simclr_tf.methods import METHODS, method_class
from simclr_tf.optimizer import OPTIMIZERS

PRECISIONS = ("float32", "bfloat16", "float16")
PLACES = ("host", "device")

# What computes with a setting holds it as float32, where larger numbers are infinite.
_LARGEST_FLOAT32 = 3.4028234e38


class _Range(NamedTuple):
    """The numbers that a setting may be; its ends belong to it unless open."""

    lowest: float
    highest: float = math.inf
    lowest_open: bool = False
    highest_open: bool = False

    def holds(self, value: float) -> bool:
        above = value > self.lowest if self.lowest_open else value >= self.lowest
        below = value < self.highest if self.highest_open else value <= self.highest
        return above and below

    def __str__(self) -> str:
        if self.lowest_open:
            most = "" if math.isinf(self.highest) else f" and at most {self.highest:g}"
            return f"above {self.lowest:g}{most}"
        if math.isinf(self.highest):
            return f"{self.lowest:g} or more"
        if self.highest_open:
            return f"{self.lowest:g} or more and below {self.highest:g}"
        return f"{self.lowest:g} to {self.highest:.10g}"


_RANGES = {
    "image_size": _Range(8),
    "head_layers": _Range(0, 3),
    "head_hidden_dim": _Range(1),
    "head_out_dim": _Range(1),
    "early_view_size": _Range(8),
    "early_share": _Range(0, 1),
    "eval_every": _Range(1),
    "temperature": _Range(0, lowest_open=True),
    "learning_rate": _Range(0),
    "momentum": _Range(0, 1, highest_open=True),
    "weight_decay": _Range(0),
    "batch_size": _Range(2),
    "epochs": _Range(1),
    "warmup_epochs": _Range(0),
    "steps_per_execution": _Range(1),
    "micro_batches": _Range(1),
    "seed": _Range(0, 2**32 - 1),
}


# Of what `views` is put together from, where it is not said.
_VIEW_RANGES = {
    "color_strength": _Range(0),
    "crop_min_area": _Range(0, 1, lowest_open=True),
}


def _require_in_range(name: str, value: float, allowed: _Range) -> None:
    if not abs(value) <= _LARGEST_FLOAT32:
        raise UserError(f"{name} must be a finite number, got {value!r}.")
    if not allowed.holds(value):
        raise UserError(f"{name} must be {allowed}, got {value!r}.")


def _setting(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return dataclasses.field(
        default=default, metadata={"help": text, "choices": choices}
    )


# Optional[...] and not "| None": the command line reads these types at run time,
# and Python 3.9 must understand them.
@dataclasses.dataclass(frozen=True)
class Recipe:
    """What the user says of a run; None stands for the default that `resolve` takes.

    Each field's metadata holds its help text, which the command line shows.
    """

    dataset: str = _setting(
        "shapes",
        "images to learn from: shapes (embedded), npz:PATH, folder:PATH, "
        "tfrecord:GLOB or tfds:NAME",
    )
    test_dataset: Optional[str] = _setting(
        None,
        "images that accuracies are measured on, in the same notation; the "
        "dataset's own test split by default, or a fifth of it held out",
    )
    method: str = _setting(
        "simclr",
        "how the encoder learns: simclr, two views of an image against all others; "
        "supcon, all views of a class against all others, by the dataset's labels; "
        "dcl, simclr decoupled, for small batches; rotation, telling quarter turns; "
        "jigsaw, telling the order of nine shuffled pieces",
        METHODS,
    )
    labels: bool = _setting(
        True,
        "use the dataset's labels (of a folder: its subfolders' names) to show "
        "accuracies; learning never sees them, but with a method that learns from them",
    )
    eval: str = _setting(
        "knn,geometry",
        "what is measured of the encoder as it trains, with commas: knn and ridge, "
        "accuracies of two quick classifiers; geometry, how evenly representations "
        "lie, with a warning where they collapse; contrastive, the contrastive task on "
        "a sample of images, held-out ones where there are such",
    )
    eval_every: int = _setting(1, "epochs from one such measurement to the next")
    eval_dataset: Optional[str] = _setting(
        None,
        "labelled images to measure on instead of the dataset's own, in the same "
        "notation: what is learned from unlabelled images is judged by those",
    )
    pretrain_on_all: bool = _setting(
        False,
        "learn from every image, also from the fifth that is held out for the "
        "accuracies where the dataset has no test split: they are then of images that "
        "were learned from, which is said beside them",
    )
    image_size: Optional[int] = _setting(
        None, "side of the views in pixels; the images' own up to 64, else 224"
    )
    encoder: Optional[str] = _setting(
        None,
        "architecture: resnet18 to resnet200, with a width as in resnet18x0.25 and "
        "selective kernels as in resnet50-sk, a tf.keras.applications name, or "
        "package.module:function of your own; resnet18x0.25 up to 32 px, else resnet50",
    )
    head_layers: Optional[int] = _setting(
        None, "layers of the projection head, 0 to 3; 2 up to 32 px, else 3"
    )
    head_hidden_dim: Optional[int] = _setting(
        None, "width of the head's hidden layers; the encoder's width by default"
    )
    head_out_dim: int = _setting(128, "width of the projections")
    views: Optional[str] = _setting(
        None,
        "what makes a view of an image, layers in their order, with numbers in "
        "brackets: crop(least area), flip(probability), jitter(strength, probability), "
        "gray(probability), blur(probability), solarize(probability, threshold), "
        "turn(probability), by quarters, vflip(probability); by default what "
        "crop_min_area, color_strength and blur say, such as "
        '"crop(0.08)|flip|jitter(1.0)|gray|blur"',
    )
    color_strength: Optional[float] = _setting(
        None, "strength s of the colour jitter; 0.5 up to 32 px, else 1"
    )
    blur: Optional[bool] = _setting(
        None, "Gaussian blur in the views; not up to 32 px, else yes"
    )
    crop_min_area: Optional[float] = _setting(
        None,
        "least share of an image's area that a crop covers; 0.2 up to 32 px, else 0.08",
    )
    early_view_size: Optional[int] = _setting(
        None,
        "side in pixels of the views in the first epochs: small views cost less and "
        "teach nearly as much; five eighths of image_size by default",
    )
    early_share: Optional[float] = _setting(
        None,
        "share of the epochs whose views are early_view_size wide; 0.75 for a resnet "
        "up to 32 px, else 0",
    )
    temperature: Optional[float] = _setting(
        None, "temperature of the loss; 0.2 up to 32 px, else 0.1"
    )
    optimizer: Optional[str] = _setting(
        None, "optimizer; sgd up to 32 px, else lars", OPTIMIZERS
    )
    learning_rate: Optional[float] = _setting(
        None, "learning rate before scaling; 0.7 up to 32 px, else 0.3"
    )
    learning_rate_scaling: str = _setting(
        "linear",
        "scaling of the learning rate with the batch: linear is x batch/256, sqrt is "
        "x sqrt(batch)",
        ("linear", "sqrt", "none"),
    )
    momentum: float = _setting(0.9, "momentum of sgd and lars")
    weight_decay: Optional[float] = _setting(
        None, "weight decay; 5e-4 up to 32 px, else 1e-6"
    )
    batch_size: Optional[int] = _setting(
        None,
        "images a step over all replicas, before views; 128 up to 32 px, else 256",
    )
    micro_batches: int = _setting(
        1,
        "pieces that each replica's batch is trained in, to save memory: the gradient "
        "is the whole batch's, the encoder's batch norm takes a piece's statistics, "
        "and a step takes a third to a half longer",
    )
    rematerialize: bool = _setting(
        False,
        "save memory by keeping only the input of each residual block for the "
        "backward pass: exactly the same training, and a step takes up to a third "
        "longer",
    )
    epochs: int = _setting(100, "passes over the dataset")
    warmup_epochs: Optional[float] = _setting(
        None, "epochs in which the learning rate rises; a twentieth of them by default"
    )
    precision: Optional[str] = _setting(
        None,
        "arithmetic of the layers; the loss is float32 at least. bfloat16 up to "
        "32 px on machines that are faster in it, else float32",
        PRECISIONS,
    )
    augment_on: str = _setting(
        "host",
        "what makes the views, the same ones: the host's CPU in the input pipeline, or "
        "the device that trains, in its step, which is then sent images as uint8",
        PLACES,
    )
    steps_per_execution: int = _setting(
        1, "steps a device takes before it returns to Python; more pay on a TPU"
    )
    seed: int = _setting(0, "seed of weights, order and views")

    def resolve(
        self, native_size: int | None = None, *, fast_bfloat16: bool = True
    ) -> ResolvedRecipe:
        """All settings, with the defaults that the image size brings.

        Up to 32 px the defaults are those of `experiments/cifar10`; above they
        are the paper's for ImageNet.

        Args:
          native_size: shorter side of the dataset's images, in pixels, where it
            is the same for all.
          fast_bfloat16: whether the machine it is for gains by bfloat16, see
            `precision.has_fast_bfloat16`.

        Raises:
          UserError: where a setting is out of its range.
        """
        size = self.image_size
        if size is None:
            size = native_size if native_size and native_size <= 64 else 224
        small = size <= 32
        encoder = self.encoder or ("resnet18x0.25" if small else "resnet50")
        early = 0.75 if small and is_resnet(encoder) else 0.0
        defaults: dict[str, Any] = {
            "image_size": size,
            "encoder": encoder,
            "head_layers": 2 if small else 3,
            "color_strength": 0.5 if small else 1.0,
            "blur": not small,
            "crop_min_area": 0.2 if small else 0.08,
            "early_view_size": max(size * 5 // 8, min(size, 8)),
            "early_share": early,
            "temperature": 0.2 if small else 0.1,
            "optimizer": "sgd" if small else "lars",
            "learning_rate": 0.7 if small else 0.3,
            "weight_decay": 5e-4 if small else 1e-6,
            "batch_size": 128 if small else 256,
            "warmup_epochs": self.epochs / 20,
            "precision": "bfloat16" if small and fast_bfloat16 else "float32",
        }
        missing = {
            name: value
            for name, value in defaults.items()
            if getattr(self, name) is None
        }
        said = [name for name in _SAYING_VIEWS if getattr(self, name) is not None]
        if self.views is not None and said:
            raise UserError(
                f"views says all that makes a view: leave out {', '.join(said)}."
            )
        return ResolvedRecipe.of(dataclasses.replace(self, **missing))


_SAYING_VIEWS = ("color_strength", "blur", "crop_min_area")


def _views(recipe: Recipe) -> str | None:
    """The layers that settings of the paper's recipe describe; None where one is."""
    if any(getattr(recipe, name) is None for name in _SAYING_VIEWS):
        return None
    for name, allowed in _VIEW_RANGES.items():
        _require_in_range(name, getattr(recipe, name), allowed)
    layers = [f"crop({recipe.crop_min_area})", "flip"]
    if recipe.color_strength:
        layers += [f"jitter({recipe.color_strength})", "gray"]
    return "|".join([*layers, "blur"] if recipe.blur else layers)


# Settings without a default: None says that there is nothing to set.
_MAY_BE_NONE = ("test_dataset", "eval_dataset", "head_hidden_dim")


@dataclasses.dataclass(frozen=True)
class ResolvedRecipe:
    """All settings of a run, each in its range; `Recipe` tells what they mean.

    `views` holds what `color_strength`, `blur` and `crop_min_area` say of a `Recipe`.

    `test_dataset` and `eval_dataset` are None where the dataset is measured on itself,
    and `head_hidden_dim` where it is the encoder's width.

    Raises:
      UserError: where a setting is out of its range.
    """

    dataset: str
    test_dataset: Optional[str]
    method: str
    labels: bool
    eval: str
    eval_every: int
    eval_dataset: Optional[str]
    pretrain_on_all: bool
    image_size: int
    encoder: str
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
    warmup_epochs: float
    precision: str
    augment_on: str
    steps_per_execution: int
    seed: int

    @classmethod
    def of(cls, recipe: Recipe) -> ResolvedRecipe:
        """A recipe that leaves nothing open, as one that says so by its type.

        Raises:
          UserError: where a setting is None that must be known, or out of its range.
        """
        if recipe.views is None:
            recipe = dataclasses.replace(recipe, views=_views(recipe))
        settings = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(cls)}
        open_settings = [
            name
            for name, value in settings.items()
            if value is None and name not in _MAY_BE_NONE
        ]
        if open_settings:
            raise UserError(f"{', '.join(open_settings)} must be set.")
        return cls(**settings)

    def __post_init__(self) -> None:
        for name, allowed in _RANGES.items():
            value = getattr(self, name)
            if value is not None:
                _require_in_range(name, value, allowed)
        for field in dataclasses.fields(Recipe):
            name, choices = field.name, field.metadata["choices"]
            if choices and getattr(self, name) not in choices:
                raise UserError(
                    f"{name} must be one of {choices}, got {getattr(self, name)!r}."
                )
        make_evaluators(self.eval)
        parse_views(self.views, self.image_size)
        if self.warmup_epochs > self.epochs:
            raise UserError(
                f"warmup_epochs must be at most epochs, {self.epochs}, got "
                f"{self.warmup_epochs:g}."
            )
        if self.batch_size % self.micro_batches:
            raise UserError(
                f"batch_size {self.batch_size} must be a multiple of micro_batches, "
                f"got {self.micro_batches}."
            )
        self._require_fit_for_method()
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
        if self.rematerialize:
            require_rematerializable(self.encoder)
        if self.early_share and not takes_any_size(self.encoder):
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
        if method.resizes and not takes_any_size(self.encoder):
            raise UserError(
                f"method {self.method} shows pieces of views to the encoder, and "
                f"{self.encoder} takes images of one size: choose a resnet."
            )
        for name, used in (
            ("image_size", True),
            ("early_view_size", self.early_epochs),
        ):
            if used and getattr(self, name) < method.least_side:
                raise UserError(
                    f"{name} must be {method.least_side} or more for method "
                    f"{self.method}, got {getattr(self, name)}."
                )

    @property
    def early_epochs(self) -> int:
        """Epochs, from the first, whose views are `early_view_size` wide."""
        return round(self.early_share * self.epochs)

    def view_size(self, epoch: int) -> int:
        """Side in pixels of the views of an epoch, the first being 0."""
        return self.early_view_size if epoch < self.early_epochs else self.image_size
