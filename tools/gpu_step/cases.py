"""Which training steps are exported, and what their peer in PyTorch must know."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import tensorflow as tf

from simclr_tf.encoder import ResNet
from simclr_tf.model import Learner
from simclr_tf.training import Recipe, ResolvedRecipe, build_model
from simclr_tf.training.build import build_augmenter, build_method

VIEWS = "views in the step"
NO_VIEWS = "without views"
CHECK = "small-float64"


@dataclasses.dataclass(frozen=True)
class Case:
    """A training step, in one or two forms.

    Attributes:
      name: of its folder and in the table.
      recipe: all settings of the step.
      forms: `VIEWS`, where the step makes the views of uint8 images, and `NO_VIEWS`,
        where it is fed them.
      checked: whether initial values, inputs and TensorFlow's own results travel too.
      make_model: makes the model, as `build_model` does from its arguments.
      floatx: Keras' floating-point type while the step is made.
    """

    name: str
    recipe: ResolvedRecipe
    forms: tuple[str, ...] = (VIEWS,)
    checked: bool = False
    make_model: Callable[..., Learner] = build_model
    floatx: str = "float32"

    def recipe_of(self, form: str) -> ResolvedRecipe:
        """The settings of a form."""
        place = "device" if form == VIEWS else "host"
        return dataclasses.replace(self.recipe, augment_on=place)


def cases() -> dict[str, Case]:
    """All cases by name, in the order in which they are measured."""
    large = Recipe(
        image_size=224, encoder="resnet50", optimizer="lars", precision="bfloat16"
    )
    small = Recipe(
        image_size=32,
        encoder="resnet18",
        optimizer="lars",
        precision="bfloat16",
        batch_size=512,
    )
    # No warm-up: its learning rate is 0 at the first step, which would move nothing.
    least = dataclasses.replace(small, batch_size=8, image_size=16, warmup_epochs=0)
    found = [
        Case(
            CHECK,
            least.resolve(),
            checked=True,
            make_model=float64_model,
            floatx="float64",
        ),
        Case(
            "resnet50-224px-batch128",
            dataclasses.replace(large, batch_size=128).resolve(),
            (VIEWS, NO_VIEWS),
        ),
        Case(
            "resnet50-224px-batch256",
            dataclasses.replace(large, batch_size=256).resolve(),
        ),
        Case("resnet18-32px-batch512", small.resolve()),
    ]
    return {case.name: case for case in found}


def float64_model(recipe: ResolvedRecipe, *, num_classes: int | None = None) -> Learner:
    """A ResNet-18 of an eighth of its width, two groups of one block, in float64."""
    tf.keras.utils.set_random_seed(recipe.seed)
    method = build_method(recipe)
    model = Learner(
        ResNet(18, width_multiplier=0.125, cifar_stem=True, blocks=(1, 1)),
        method.make_head(
            layers=recipe.head_layers, hidden_dim=None, out_dim=recipe.head_out_dim
        ),
        method,
        augmenter=build_augmenter(recipe),
        num_classes=num_classes,
        seed=recipe.seed,
    )
    model.build((None, recipe.image_size, recipe.image_size, 3))
    return model


@contextlib.contextmanager
def computing_in(floatx: str) -> Iterator[None]:
    """Keras' floating-point type, and that of layers made inside."""
    before = tf.keras.backend.floatx()
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.backend.set_floatx(floatx)
    tf.keras.mixed_precision.set_global_policy(floatx)
    try:
        yield
    finally:
        tf.keras.backend.set_floatx(before)
        tf.keras.mixed_precision.set_global_policy(policy)
