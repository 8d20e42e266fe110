"""What `simclr export` exports: an encoder, or the classifier of a run."""

from __future__ import annotations

from typing import NamedTuple

from absl import flags

from simclr_tf.cli import encoder_flags
from simclr_tf.data import AS_IT_IS, ImageForm
from simclr_tf.image_size import ImageSize
from simclr_tf.messages import say
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.training.classifier import load_classifier, trained_classifier


class Exportable(NamedTuple):
    """A model, and the images that it is for.

    Attributes:
      model: with its weights.
      image_size: of what its encoder sees.
      classes: names, where its head is a classifier.
      dataset: the run's images; None where they are not known.
      test_dataset: its test images, where they are another dataset's.
      form: of the images.
    """

    model: Learner
    image_size: ImageSize
    classes: list[str] | None
    dataset: str | None
    test_dataset: str | None
    form: ImageForm = AS_IT_IS


def load(values: flags.FlagValues) -> Exportable:
    """What the flags name; of a run of finetune or distill its classifier.

    Raises:
      UserError: where they name nothing, or more than one.
    """
    alone = not (values.saved_model or values.published or values.random)
    run = trained_classifier(values.run) if values.run and alone else None
    if run is None:
        model, loaded = encoder_flags.load_model(values)
        return Exportable(
            model,
            loaded.image_size,
            None,
            loaded.dataset,
            loaded.test_dataset,
            loaded.form,
        )
    settings = run.settings()
    run.told_where_unfinished(say)
    model, classes = load_classifier(
        run, SupervisedMethod(), precision=values.precision
    )
    return Exportable(
        model,
        values.image_size or settings.image_size,
        classes.names,
        settings.dataset,
        settings.test_dataset,
        encoder_flags.form_of(values, settings.form),
    )
