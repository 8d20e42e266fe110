"""Settings of a pretraining run as the user says them."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional, Union

from simclr_tf.data import NOTATION
from simclr_tf.encoder.registry import capabilities_of
from simclr_tf.errors import UserError
from simclr_tf.image_size import (
    ImageSize,
    longer_side,
    parse_image_size,
    shorter_side,
)
from simclr_tf.training import defaults
from simclr_tf.training.ranges import CHOICES, PRECISIONS
from simclr_tf.training.resolved_recipe import (
    NOT_OF_A_RUN,
    SAYING_VIEWS,
    ResolvedRecipe,
    said_by_views,
)
from simclr_tf.training.says_images import SaysImages
from simclr_tf.training.setting import setting

__all__ = ["PRECISIONS", "Recipe", "ResolvedRecipe"]

_MANY = f"above 32 px from {defaults.ENOUGH_FOR_PAPER:,} images on"


# Optional[...] and Union[...], not "|": the command line reads these types at run
# time, and Python 3.9 must understand them.
@dataclasses.dataclass(frozen=True)
class Recipe(SaysImages):
    """What the user says of a run; None stands for the default that `resolve` takes.

    Each field's metadata holds its help text, which the command line shows, its
    choices, and whether it changes the training: a run may be resumed with other values
    of settings that do not.

    Examples:
      >>> recipe = simclr_tf.training.Recipe(dataset="folder:photos", batch_size=64)
      >>> settings = recipe.resolve(native_size=96, images=2000)
      >>> settings.encoder, settings.image_size, settings.epochs
      ('resnet18x0.5', 96, 100)
    """

    dataset: str = setting(
        "shapes",
        f"images to learn from: {NOTATION}; shapes are drawn, and need no file",
    )
    test_dataset: Optional[str] = setting(
        None,
        "images that accuracies are measured on, in the same notation; the "
        "dataset's own test split by default, or a fifth of it held out",
        changes_training=False,
    )
    method: str = setting(
        "simclr",
        "how the encoder learns: simclr, two views of an image against all others; "
        "supcon, all views of a class against all others, by the dataset's labels; "
        "dcl, simclr decoupled, for small batches; rotation, telling quarter turns; "
        "jigsaw, telling the order of nine shuffled pieces; supervised, cross entropy "
        "of the dataset's labels; or package.module:Class of your own",
    )
    labels: bool = setting(
        True,
        "use the dataset's labels (of a folder: its subfolders' names) to show "
        "accuracies; learning never sees them, but with a method that learns from them",
    )
    eval: str = setting(
        "knn,geometry",
        "what is measured of the encoder as it trains, with commas: knn and ridge, "
        "accuracies of two quick classifiers; geometry, how evenly representations "
        "lie, with a warning where they collapse; contrastive, the contrastive task on "
        "a sample of images, held-out ones where there are such; or "
        "package.module:Class of your own",
        changes_training=False,
    )
    eval_every: Optional[Union[int, str]] = setting(  # noqa: UP007
        None,
        "epochs from one such measurement to the next, such as 5, or steps, such as "
        "500steps; 1 by default",
        changes_training=False,
    )
    eval_dataset: Optional[str] = setting(
        None,
        "labelled images to measure on instead of the dataset's own, in the same "
        "notation: what is learned from unlabelled images is judged by those",
        changes_training=False,
    )
    pretrain_on_all: bool = setting(
        False,
        "learn from every image, also from the fifth that is held out for the "
        "accuracies where the dataset has no test split: they are then of images that "
        "were learned from, which is said beside them",
    )
    image_size: Optional[Union[int, str, tuple[int, int]]] = setting(  # noqa: UP007
        None,
        "side of the views in pixels, or height and width as in 96x160; by default the "
        f"images' shorter side up to {defaults.KEPT_SIZE}; of larger ones "
        f"{defaults.PHOTOGRAPH_SIZE}, or the last multiple of 16 that they have, and "
        f"{defaults.PAPER_SIZE} from {defaults.ENOUGH_FOR_PAPER:,} images on",
    )
    channels: Optional[int] = setting(
        None,
        "channels of the images; the dataset's own by default, where grey images "
        "become RGB: 1 keeps them grey. Images of other channels than 3 have no "
        "greyscale, hue and saturation; brightness and contrast of each channel are "
        "jittered",
    )
    value_range: Optional[str] = setting(
        None,
        "values of black and white in npz and tfrecord images, and in PNG and TIFF "
        "files of more than 8 bits, where these do not say them, as in 0,4095; uint8 "
        "is 0..255, uint16 0..65535 and floating point 0..1 without",
    )
    encoder: Optional[str] = setting(
        None,
        "architecture: resnet18 to resnet200, with a width as in resnet18x0.25 and "
        "selective kernels as in resnet50-sk or torchvision's as in resnet50-torch; "
        "vit_tiny16, vit_small16 or vit_base16, with the side of a patch; a "
        "tf.keras.applications name; or "
        "package.module:function of your own; resnet18x0.25 up to 32 px, else "
        f"resnet18x0.5, and resnet50 {_MANY}",
    )
    init: Optional[str] = setting(
        None,
        "weights that the encoder starts from: a run folder, whose newest state is "
        "taken; a SavedModel of simclr export; published weights of SimCLR (a "
        "checkpoint or SavedModel) or of a PyTorch ResNet (.safetensors, .npz); "
        "imagenet for those that Keras has of --encoder=ResNet50V2 and its like. "
        "--encoder is by default that of the weights, which a SavedModel does not "
        "tell. The rest begins anew",
    )
    head_layers: Optional[int] = setting(
        None, f"layers of the projection head, 0 to 3; 2, and 3 {_MANY}"
    )
    head_hidden_dim: Optional[int] = setting(
        None, "width of the head's hidden layers; the encoder's width by default"
    )
    head_out_dim: int = setting(128, "width of the projections")
    views: Optional[str] = setting(
        None,
        "what makes a view of an image, layers in their order with | between them. The "
        "first is crop(0.08, 1), with the least and the greatest area; after it any "
        "of flip(0.5), left to right, vflip(0.5), top to bottom, turn(0.75), by "
        "quarters, of square views, gray(0.2), of RGB images, and blur(0.5), with "
        "their probability; jitter(1.0, 0.8), strength and probability; "
        "solarize(0.2, 0.5), probability and threshold; or "
        "package.module:Class(numbers) of your own. These numbers hold where none are "
        "said. By default what crop_min_area, color_strength and blur say, such as "
        '"crop(0.08)|flip|jitter(1.0)|gray|blur"; they are not said beside views',
    )
    color_strength: Optional[float] = setting(
        None, f"strength s of the colour jitter; 0.5, and 1 {_MANY}"
    )
    blur: Optional[bool] = setting(
        None, "Gaussian blur in the views; not up to 32 px, else yes"
    )
    crop_min_area: Optional[float] = setting(
        None,
        "least share of an image's area that a crop covers; 0.2 up to 32 px, else 0.08",
    )
    early_view_size: Optional[int] = setting(
        None,
        "side in pixels of the views in the first epochs (of views that are not "
        "square, the shorter side; both are scaled alike): small views cost less and "
        "teach nearly as much; five eighths of image_size by default",
    )
    early_share: Optional[float] = setting(
        None,
        "share of the epochs whose views are early_view_size wide; 0.75 up to 32 px "
        "for an encoder that takes any size, such as a resnet, else 0",
    )
    temperature: Optional[float] = setting(
        None, f"temperature of the loss; 0.2, and 0.1 {_MANY}"
    )
    optimizer: Optional[str] = setting(
        None, f"optimizer; sgd, and lars {_MANY}", CHOICES["optimizer"]
    )
    learning_rate: Optional[float] = setting(
        None, f"learning rate before scaling; 0.7, and 0.3 {_MANY}"
    )
    learning_rate_scaling: str = setting(
        "linear",
        "scaling of the learning rate with the batch: linear is x batch/256, sqrt is "
        "x sqrt(batch)",
        CHOICES["learning_rate_scaling"],
    )
    momentum: float = setting(0.9, "momentum of sgd and lars")
    weight_decay: Optional[float] = setting(
        None, f"weight decay; 5e-4, and 1e-6 {_MANY}"
    )
    batch_size: Optional[int] = setting(
        None,
        "images a step over all replicas, before views; at most an eighth of the "
        f"images, and at most 128 up to 32 px, else 64, 128 from "
        f"{defaults.ENOUGH_FOR_128:,} images on, 256 {_MANY}",
    )
    micro_batches: int = setting(
        1,
        "pieces that each replica's batch is trained in, to save memory: the gradient "
        "is the whole batch's, the encoder's batch norm takes a piece's statistics, "
        "and a step takes a quarter to a half longer",
    )
    rematerialize: bool = setting(
        False,
        "save memory by keeping only the input of each residual block for the "
        "backward pass: exactly the same training, and a step takes some two fifths "
        "longer",
        changes_training=False,
    )
    epochs: Optional[int] = setting(
        None,
        f"passes over the dataset; {defaults.LEAST_EPOCHS}, and more where those take "
        f"fewer than {defaults.LEAST_STEPS:,} steps",
    )
    extend_epochs: Optional[str] = setting(
        None,
        "epochs that a run which has ended goes on for: the learning rate rises and "
        "falls over them again, as it did before. A run that was extended is extended "
        "again with a comma: 20,10",
    )
    warmup_epochs: Optional[float] = setting(
        None, "epochs in which the learning rate rises; a twentieth of them by default"
    )
    precision: Optional[str] = setting(
        None,
        "arithmetic of the layers; the loss is float32 at least. bfloat16 on machines "
        f"that are faster in it, and float32 on others and {_MANY}",
        CHOICES["precision"],
    )
    augment_on: str = setting(
        "host",
        "what makes the views, the same ones: the host's CPU in the input pipeline, or "
        "the device that trains, in its step, which is then sent images as uint8",
        CHOICES["augment_on"],
        changes_training=False,
    )
    steps_per_execution: int = setting(
        1,
        "steps a device takes before it returns to Python; more pay on a TPU",
        changes_training=False,
    )
    seed: int = setting(0, "seed of weights, order and views")

    @property
    def loaded_size(self) -> int | None:
        """The `image_size` that images are loaded for; None where it is not said."""
        if self.image_size is None:
            return None
        return longer_side(parse_image_size(self.image_size))

    def resolve(
        self,
        native_size: int | None = None,
        *,
        images: int | None = None,
        replicas: int = 1,
        native_channels: int | None = None,
        fast_bfloat16: bool = True,
    ) -> ResolvedRecipe:
        """All settings, with the defaults that the images and the machine bring.

        `training.defaults` has the rules, and what they rest on.

        Args:
          native_size: shorter side of the dataset's images, in pixels, see
            `run_images.native_side`.
          images: how many there are to learn from; None where that is not known,
            and the defaults are those for many.
          replicas: that share a batch.
          native_channels: of the dataset's images; 3 where that is not known.
          fast_bfloat16: whether the machine it is for gains by bfloat16, see
            `precision.has_fast_bfloat16`.

        Raises:
          UserError: where a setting is out of its range.
        """
        size: ImageSize = defaults.image_size(images, native_size)
        if self.image_size is not None:
            size = parse_image_size(self.image_size)
        side = shorter_side(size)
        chosen = defaults.settings_for(images, side)
        encoder = self.encoder or chosen.encoder
        batch = self.batch_size
        if batch is None:
            # What is out of its range is told by ResolvedRecipe.
            parts = replicas * max(self.micro_batches, 1)
            batch = defaults.batch_size(images, chosen.batch_size, parts)
        epochs = self.epochs
        if epochs is None:
            epochs = defaults.epochs(images, max(batch, 1))
        bfloat16 = chosen.fast_precision and fast_bfloat16
        values: dict[str, Any] = {
            **chosen._asdict(),
            "image_size": size,
            "channels": native_channels or 3,
            "encoder": encoder,
            "early_view_size": max(side * 5 // 8, min(side, 8)),
            "batch_size": batch,
            "epochs": epochs,
            "warmup_epochs": epochs / 20,
            "precision": "bfloat16" if bfloat16 else "float32",
            "eval_every": 1,
        }
        if not capabilities_of(encoder).takes_any_size:
            values["early_share"] = 0.0
        names = {field.name for field in dataclasses.fields(self)}
        missing = {
            name: value
            for name, value in values.items()
            if name in names and getattr(self, name) is None
        }
        said = [name for name in SAYING_VIEWS if getattr(self, name) is not None]
        if self.views is not None and said:
            raise UserError(
                f"views says all that makes a view: leave out {', '.join(said)}."
            )
        return ResolvedRecipe.of(dataclasses.replace(self, **missing))

    def completed_by(self, run: ResolvedRecipe) -> Recipe:
        """This recipe, and what it leaves open as a run has it.

        So the same command resumes a run whatever has become of the defaults: with
        another version, on another machine, with more images.
        """
        values = {
            name: value
            for name, value in dataclasses.asdict(run).items()
            if getattr(self, name) is None and name not in ("views", *NOT_OF_A_RUN)
        }
        if self.views is None:
            said = {name: getattr(self, name) for name in SAYING_VIEWS}
            if set(said.values()) == {None}:
                values["views"] = run.views
            else:
                run_said = said_by_views(run.views)
                values.update({n: run_said.get(n) for n in said if said[n] is None})
        return dataclasses.replace(self, **values)
