"""The images of a run, on canvases as large as its views need them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from simclr_tf.data import (
    PretrainingData,
    Source,
    cuts_files,
    load_for_pretraining,
    sample_sizes,
)
from simclr_tf.image_size import longer_side
from simclr_tf.training.build import build_augmenter
from simclr_tf.training.recipe import Recipe, ResolvedRecipe

# Images whose sizes stand for those of all.
_SAMPLE = 64


class RunImages:
    """Images that a recipe names, or that were handed over.

    Args:
      recipe: settings as the user says them.
      given: images to learn from instead of those that `recipe.dataset` names.

    Raises:
      DataError: see `load_for_pretraining`.
    """

    def __init__(self, recipe: Recipe, given: Source | None = None) -> None:
        self._recipe, self._given = recipe, given
        size = recipe.loaded_size
        self._loaded = {size: self._load(size)}
        self._first = self._loaded[size]

    def for_views(self, recipe: ResolvedRecipe) -> PretrainingData:
        """The images for the views of a recipe.

        They are loaded anew for views of another size only where a canvas stands for
        each: crops of files' own pixels need none.
        """
        source, size = self._first.train, longer_side(recipe.image_size)
        if self._given is not None:  # A canvas is as large as it was loaded.
            return self._first
        if not has_many_sizes(source) or cuts_files(source, build_augmenter(recipe)):
            return self._first
        if size not in self._loaded:
            self._loaded[size] = self._load(size)
        return self._loaded[size]

    @property
    def count(self) -> int:
        """How many there are to learn from."""
        return len(self._first.train)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self._first.train.image_shape[-1]

    @property
    def native_side(self) -> int:
        """See `native_side`."""
        return native_side(self._first.train)

    def _load(self, image_size: int | None) -> PretrainingData:
        recipe = self._recipe
        return load_for_pretraining(
            recipe.dataset if self._given is None else self._given,
            recipe.test_dataset,
            recipe.eval_dataset,
            image_size=image_size,
            labels=recipe.labels,
            pretrain_on_all=recipe.pretrain_on_all,
            form=recipe.form,
        )


def native_side(source: Source) -> int:
    """The shorter side of a source's images in pixels; of many sizes about the median.

    It is a multiple of 8 where they differ.
    """
    if not has_many_sizes(source):
        return min(source.image_shape[:2])
    sides = np.min(sample_sizes(source, _SAMPLE), axis=1)
    median = int(np.median(sides))
    return median if (sides == median).all() else max(median - median % 8, 8)


def has_many_sizes(source: Source) -> bool:
    """Whether the images of a source are not all of its `image_shape`."""
    if source.holds_files:
        return True
    return "size" in source.read(tf.data.Dataset.range(1).batch(1)).element_spec
