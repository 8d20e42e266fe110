"""Trains a few steps on given replicas and says what came of it.

`train(strategy, case)` runs in a `ReplicaServer`, in worker processes, or here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

import simclr_tf
from simclr_tf import randomness
from simclr_tf.encoder import VisionTransformer
from simclr_tf.methods import Contrastive, method_class
from simclr_tf.model import Learner
from tests import tiny

STEPS = 10
GLOBAL_BATCH = 16
IMAGE_SIZE = 16
RATE = 0.05
_ENCODERS = {
    "plain": {"depth": 18, "cifar_stem": True},
    "bottleneck": {"depth": 50, "cifar_stem": True},
    "selective": {"depth": 50, "sk_ratio": 0.0625},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained, and on what.

    Replicas are traced one by one: with many of them, depth takes its time. The first
    block of a group has a projection; only a group's first block may stride.
    """

    images: str
    """An npz file with x_train and y_train; views too, where they are made before."""
    encoder: str = "plain"
    """Of `_ENCODERS`, "tiny" or "vit"."""
    blocks: tuple[int, ...] | None = (1, 1)
    method: str = "simclr"
    optimizer: str = "sgd"
    probe: bool = False
    views: bool = False
    """Made in the input and not in the step."""
    rematerialize: bool = False
    steps_per_execution: int = 1
    micro_batches: int = 1
    color_strength: float = 0.5
    unlabelled: int = 0
    """Images, the first of each batch, whose labels are unknown."""
    floatx: str = "float64"
    policy: str | None = None


def make_model(case: Case) -> Learner:
    """The same model, with the same weights, whatever the replicas."""
    tf.keras.utils.set_random_seed(3)
    if case.encoder == "tiny":
        encoder = tiny.encoder()
    elif case.encoder == "vit":
        encoder = VisionTransformer(8, width=16, depth=2, heads=2)
    else:
        encoder = simclr_tf.ResNet(
            **_ENCODERS[case.encoder],
            width_multiplier=0.125,
            blocks=case.blocks,
            rematerialize=case.rematerialize,
        )
    kind = method_class(case.method)
    method = kind(temperature=0.5) if issubclass(kind, Contrastive) else kind()
    classes = {"num_classes": 10} if method.classifies else {}
    model = Learner(
        encoder,
        method.make_head(layers=2, hidden_dim=None, out_dim=32, **classes),
        method,
        augmenter=simclr_tf.augmentation.SimCLRAugmenter(
            IMAGE_SIZE, color_strength=case.color_strength, blur=False
        ),
        num_classes=10 if case.probe else None,
        micro_batches=case.micro_batches,
    )
    model.build((None, IMAGE_SIZE, IMAGE_SIZE, 3))
    # Weights that do not depend on how a strategy numbers its random ops.
    generator = np.random.default_rng(5)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            fan_in = np.prod(variable.shape[:-1])
            values = generator.normal(0.0, fan_in**-0.5, variable.shape)
        else:
            values = generator.uniform(0.5, 1.0, variable.shape)
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))
    return model


def make_optimizer(case: Case) -> tf.keras.optimizers.Optimizer:
    """A fresh optimizer."""
    if case.optimizer == "lars":
        return simclr_tf.LARS(0.5, weight_decay=1e-4)
    return tf.keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True)


def dataset(case: Case, steps: int) -> tf.data.Dataset:
    """The same global batches, whatever the replicas."""
    with np.load(case.images) as arrays:
        count = steps * GLOBAL_BATCH
        images, labels = arrays["x_train"][:count], arrays["y_train"][:count]
        unknown = np.arange(count) % GLOBAL_BATCH < case.unlabelled
        labels = np.where(unknown, -1, labels).astype(np.int32)
        data = {"image": images, "label": labels}
        if "seeds" in arrays:
            data["seeds"] = arrays["seeds"][:count]
        if case.views and "views" in arrays:
            data = {"views": arrays["views"][:count], "label": data["label"]}
    return tf.data.Dataset.from_tensor_slices(data).batch(
        GLOBAL_BATCH, drop_remainder=True
    )


def distribute(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Batches for `fit`, which by itself splits them among replicas, not workers."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return batches

    def shares(context: tf.distribute.InputContext) -> tf.data.Dataset:
        share = context.get_per_replica_batch_size(GLOBAL_BATCH)
        # Else workers might run out of images at different steps.
        rebatched = batches.repeat().unbatch().batch(share, drop_remainder=True)
        return rebatched.shard(context.num_input_pipelines, context.input_pipeline_id)

    return strategy.distribute_datasets_from_function(shares)


def make_views(model: Learner, batches: tf.data.Dataset) -> tf.data.Dataset:
    """The views that the step would make, made before it."""

    def to_views(step: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        places = tf.range(GLOBAL_BATCH, dtype=tf.int64)
        seeds = randomness.example_seeds(model.seed, step, places)
        views = model.augmenter.two_views(batch["image"], seeds)
        return {"views": views, "label": batch["label"]}

    return batches.enumerate().map(to_views)


class _Losses(tf.keras.callbacks.Callback):
    """The loss of each step, from the running mean that Keras keeps.

    And the gradient of the first: momentum, which began at 0, holds it times the
    learning rate.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.values = []
        self.gradient = None
        self._rate = rate

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.values.append(dict(logs))
        self.model.reset_metrics()
        if batch == 0:
            momentums = self.model.optimizer.momentums
            self.gradient = -_vector(momentums) / self._rate


def train(strategy: tf.distribute.Strategy, case: Case) -> dict[str, np.ndarray]:
    """Losses of each step, all weights after the last, and sgd's first gradient."""
    tf.keras.backend.set_floatx(case.floatx)
    if case.policy:
        tf.keras.mixed_precision.set_global_policy(case.policy)
    with strategy.scope():
        model = make_model(case)
        model.compile(
            make_optimizer(case), steps_per_execution=case.steps_per_execution
        )
    batches = dataset(case, STEPS)
    if "image" in batches.element_spec and case.views:
        batches = make_views(model, batches)
    losses = _Losses(RATE)
    model.fit(
        distribute(strategy, batches),
        steps_per_epoch=STEPS,
        verbose=0,
        callbacks=[losses],
    )
    result = {
        name: np.array([row[name] for row in losses.values])
        for name in losses.values[0]
    }
    if case.optimizer == "sgd" and case.steps_per_execution == 1:
        result["gradient"] = losses.gradient
    result["moving"] = _vector(model.non_trainable_variables)
    result["weights"] = _vector(model.trainable_variables)
    return result


def _vector(variables: Sequence[tf.Variable]) -> np.ndarray:
    return np.concatenate([v.numpy().astype(np.float64).ravel() for v in variables])
