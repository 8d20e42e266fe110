"""A model from a recipe."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter, parse_views
from simclr_tf.encoder import capabilities_of, make_encoder
from simclr_tf.image_size import ImageSize, height_and_width
from simclr_tf.methods import Contrastive, Method, method_class
from simclr_tf.model import Learner
from simclr_tf.optimizer import (
    WarmRestarts,
    WarmupCosineDecay,
    make_optimizer,
    scaled_learning_rate,
)
from simclr_tf.training.precision import policy
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.settings import TrainingSettings


def build_model(recipe: ResolvedRecipe, *, num_classes: int | None = None) -> Learner:
    """The model of a recipe, with its variables made.

    Args:
      recipe: all settings, see `Recipe.resolve`.
      num_classes: classes of the online probe, and of the head where the method
        classifies; None for a model without a probe, which then encodes alone.

    Raises:
      ValueError: where a setting is out of its range.
    """
    tf.keras.utils.set_random_seed(recipe.seed)
    with policy(recipe.precision):
        method = build_method(recipe)
        model = Learner(
            make_encoder(
                recipe.encoder,
                image_size=recipe.image_size,
                channels=recipe.channels,
                rematerialize=recipe.rematerialize,
            ),
            _make_head(recipe, method, num_classes),
            method,
            augmenter=build_augmenter(recipe),
            num_classes=num_classes,
            micro_batches=recipe.micro_batches,
            seed=recipe.seed,
        )
        model.build((None, *height_and_width(recipe.image_size), recipe.channels))
    return model


def build_method(recipe: ResolvedRecipe) -> Method:
    """The method of a recipe."""
    kind = method_class(recipe.method)
    if issubclass(kind, Contrastive):
        return kind(temperature=recipe.temperature)
    return kind()


def _make_head(
    recipe: ResolvedRecipe, method: Method, num_classes: int | None
) -> tf.keras.layers.Layer:
    settings: dict[str, Any] = {
        "layers": recipe.head_layers,
        "hidden_dim": recipe.head_hidden_dim,
        "out_dim": recipe.head_out_dim,
    }
    if method.classifies:
        if num_classes is None:  # Encoding needs no classifier.
            return tf.keras.layers.Activation("linear", name="no_head")
        settings["num_classes"] = num_classes
    return method.make_head(**settings)


def build_augmenter(
    settings: TrainingSettings, view_size: ImageSize | None = None
) -> SimCLRAugmenter:
    """The augmentation of a run, to its image size or to another."""
    size = view_size or settings.image_size
    layers = parse_views(settings.views, size, settings.channels)
    return SimCLRAugmenter(size, layers=layers)


def build_optimizer(
    settings: TrainingSettings, steps_per_epoch: int, offset: int = 0
) -> tf.keras.optimizers.Optimizer:
    """The optimizer of a run, with its schedule.

    Args:
      settings: of the run.
      steps_per_epoch: steps an epoch.
      offset: step at which the first epoch begins, see `data_record.Calendar`.
    """
    return make_optimizer(
        settings.optimizer,
        _schedule(settings, steps_per_epoch, offset),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        no_decay=capabilities_of(settings.encoder).no_decay,
    )


def _schedule(
    settings: TrainingSettings, steps_per_epoch: int, offset: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    """Warm-up and cosine, and again over each extension, with its share of warm-up."""
    peak = scaled_learning_rate(
        settings.learning_rate, settings.batch_size, settings.learning_rate_scaling
    )
    schedules = [
        WarmupCosineDecay(
            peak,
            total_steps=settings.epochs * steps_per_epoch + offset,
            warmup_steps=max(
                round(settings.warmup_epochs * steps_per_epoch) + offset, 0
            ),
        )
    ]
    starts, end = [0], schedules[0].total_steps
    for epochs in settings.extensions:
        steps = epochs * steps_per_epoch
        warmup = round(settings.warmup_epochs / settings.epochs * steps)
        schedules.append(
            WarmupCosineDecay(peak, total_steps=steps, warmup_steps=warmup)
        )
        starts.append(end)
        end += steps
    return WarmRestarts(schedules, starts) if settings.extensions else schedules[0]
