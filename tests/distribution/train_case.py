"""Trains a few steps on given replicas and writes what came of it.

A process of its own for each count of replicas: TensorFlow's CPU collectives
remember the sizes of their groups.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import simclr_tf

STEPS = 10
GLOBAL_BATCH = 16
IMAGE_SIZE = 16


def main() -> None:
    """Runs the case that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strategy", choices=("one", "mirrored"), required=True)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--floatx", default="float64")
    parser.add_argument("--policy", default=None)
    parser.add_argument("--encoder", choices=("plain", "selective"), default="plain")
    parser.add_argument("--optimizer", choices=("sgd", "lars"), default="sgd")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--steps-per-execution", type=int, default=1)
    parser.add_argument("--images", required=True, help="npz with x_train, y_train")
    parser.add_argument("--output", required=True)
    case = parser.parse_args()

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * case.replicas
    )
    tf.keras.backend.set_floatx(case.floatx)
    if case.policy:
        tf.keras.mixed_precision.set_global_policy(case.policy)
    np.savez(case.output, **train(case))


def make_strategy(case: argparse.Namespace) -> tf.distribute.Strategy:
    """The strategy that the case names."""
    devices = [f"CPU:{place}" for place in range(case.replicas)]
    if case.strategy == "one":
        return tf.distribute.OneDeviceStrategy("CPU:0")
    return tf.distribute.MirroredStrategy(devices)


def make_model(case: argparse.Namespace) -> simclr_tf.SimCLR:
    """The same model, with the same weights, whatever the replicas."""
    tf.keras.utils.set_random_seed(3)
    encoder = simclr_tf.ResNet(
        18,
        width_multiplier=0.125,
        cifar_stem=case.encoder == "plain",
        sk_ratio=0.0625 if case.encoder == "selective" else 0.0,
    )
    model = simclr_tf.SimCLR(
        encoder,
        simclr_tf.ProjectionHead(num_layers=2, out_dim=32),
        augmenter=simclr_tf.augmentation.SimCLRAugmenter(
            IMAGE_SIZE, color_strength=0.5, blur=False
        ),
        temperature=0.5,
        num_classes=10 if case.probe else None,
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


def make_optimizer(case: argparse.Namespace) -> tf.keras.optimizers.Optimizer:
    """A fresh optimizer."""
    if case.optimizer == "lars":
        return simclr_tf.LARS(0.5, weight_decay=1e-4)
    return tf.keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)


def dataset(case: argparse.Namespace, steps: int) -> tf.data.Dataset:
    """The same global batches, whatever the replicas."""
    with np.load(case.images) as arrays:
        count = steps * GLOBAL_BATCH
        images, labels = arrays["x_train"][:count], arrays["y_train"][:count]
    data = {"image": images, "label": labels.astype(np.int32)}
    return tf.data.Dataset.from_tensor_slices(data).batch(
        GLOBAL_BATCH, drop_remainder=True
    )


class _Losses(tf.keras.callbacks.Callback):
    """The loss of each step, from the running mean that Keras keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.values.append(dict(logs))
        self.model.reset_metrics()


def train(case: argparse.Namespace) -> dict[str, np.ndarray]:
    """Losses of each step, gradients of the first, and all weights after the last."""
    strategy = make_strategy(case)
    with strategy.scope():
        model = make_model(case)
        # At rate 1 and without momentum a step moves weights by the gradient.
        model.compile(tf.keras.optimizers.SGD(1.0))
        before = [v.numpy().astype(np.float64) for v in model.trainable_variables]
        every = model.get_weights()
    model.fit(dataset(case, 1), verbose=0)
    gradients = [
        old - new.numpy().astype(np.float64)
        for old, new in zip(before, model.trainable_variables)
    ]
    model.set_weights(every)
    with strategy.scope():
        model.compile(
            make_optimizer(case), steps_per_execution=case.steps_per_execution
        )
    losses = _Losses()
    model.fit(dataset(case, STEPS), verbose=0, callbacks=[losses])
    result = {
        name: np.array([row[name] for row in losses.values])
        for name in losses.values[0]
    }
    result["gradient"] = np.concatenate([g.ravel() for g in gradients])
    result["moving"] = np.concatenate(
        [v.numpy().ravel() for v in model.non_trainable_variables]
    )
    result["weights"] = np.concatenate(
        [v.numpy().astype(np.float64).ravel() for v in model.trainable_variables]
    )
    return result


if __name__ == "__main__":
    main()
