"""A ResNet as the published code for TensorFlow 1 makes it: values, names, features.

Its layers are plain operations, made in the order of that code, and number themselves.
"""

import collections

import numpy as np
import tensorflow as tf

_EPSILON = 1e-5


class Tf1Net:
    """Random weights by their names, and what they make of images."""

    def __init__(self, seed: int = 0) -> None:
        self.values: dict[str, np.ndarray] = {}
        self._rng = np.random.default_rng(seed)
        self._made: collections.Counter = collections.Counter()

    def save(self, prefix: str, **more: np.ndarray) -> str:
        """Writes a checkpoint, and what else a training keeps in one."""
        values = {**self.values, "global_step": np.int64(7)}
        for name, value in self.values.items():
            if "moving" not in name:
                values[f"{name}/Momentum"] = np.zeros_like(value)
        values.update(more)
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=[tf.convert_to_tensor(value) for value in values.values()],
        )
        return prefix

    def features(
        self, images, *, filters, blocks, bottleneck, sk_ratio=0.0, small_stem=False
    ):
        """`[B, H, W, 3]` to `[B, D]`."""
        if small_stem:
            x = self._norm(self._conv(images, filters, 3))
        elif sk_ratio:
            x = self._norm(self._conv(images, filters // 2, 3, 2))
            x = self._norm(self._conv(x, filters // 2, 3))
            x = self._norm(self._conv(x, filters, 3))
        else:
            x = self._norm(self._conv(images, filters, 7, 2))
        if not small_stem:
            x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for group, count in enumerate(blocks):
            for place in range(count):
                stride = 2 if group > 0 and place == 0 else 1
                width = filters * 2**group
                x = self._block(x, width, stride, place == 0, bottleneck, sk_ratio)
        return tf.reduce_mean(x, [1, 2])

    def projection(self, h, out_dim, layers):
        """`[B, D]` to `[B, out_dim]`."""
        for place in range(layers):
            last = place == layers - 1
            path = f"head_contrastive/nl_{place}"
            width = out_dim if last else h.shape[-1]
            kernel = self._kernel(f"{path}/dense/kernel", [h.shape[-1], width])
            h = self._normalised(h @ kernel, f"{path}/batch_normalization", not last)
            h = h if last else tf.nn.relu(h)
        return h

    def logits(self, h, classes):
        """`[B, D]` to `[B, classes]`."""
        path = "head_supervised/linear_layer/dense"
        kernel = self._kernel(f"{path}/kernel", [h.shape[-1], classes])
        self.values[f"{path}/bias"] = self._rng.normal(size=classes).astype(np.float32)
        return h @ kernel + self.values[f"{path}/bias"]

    def _block(self, x, width, stride, project, bottleneck, sk_ratio):
        out, kept = width * (4 if bottleneck else 1), x
        if project and sk_ratio:
            kept = tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]]) if stride > 1 else x
            padding = "VALID" if stride > 1 else "SAME"
            kept = tf.nn.avg_pool2d(kept, 2, stride, padding)
            kept = self._norm(self._conv(kept, out, 1), relu=False)
        elif project:
            kept = self._norm(self._conv(x, out, 1, stride), relu=False)
        if not bottleneck:
            x = self._norm(self._conv(x, width, 3, stride))
            return tf.nn.relu(self._norm(self._conv(x, out, 3), relu=False) + kept)
        x = self._norm(self._conv(x, width, 1))
        if sk_ratio:
            x = self._selective(x, width, stride, sk_ratio)
        else:
            x = self._norm(self._conv(x, width, 3, stride))
        return tf.nn.relu(self._norm(self._conv(x, out, 1), relu=False) + kept)

    def _selective(self, x, width, stride, sk_ratio):
        both = self._norm(self._conv(x, 2 * width, 3, stride))
        first, second = both[..., :width], both[..., width:]
        mean = tf.reduce_mean(first + second, [1, 2], keepdims=True)
        mixed = self._norm(self._conv(mean, max(int(width * sk_ratio), 32), 1))
        mixed = self._conv(mixed, 2 * width, 1)
        share = tf.nn.sigmoid(mixed[..., :width] - mixed[..., width:])
        return first * share + second * (1 - share)

    def _conv(self, x, filters, side, stride=1):
        kernel = self._kernel(
            f"{self._path('conv2d')}/kernel", [side, side, x.shape[-1], filters]
        )
        before, after = (side - 1) // 2, side // 2
        x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
        return tf.nn.conv2d(x, kernel, stride, "VALID")

    def _norm(self, x, relu=True):
        x = self._normalised(x, self._path("batch_normalization"), True)
        return tf.nn.relu(x) if relu else x

    def _normalised(self, x, path, center):
        width = x.shape[-1]
        draw = {
            "gamma": self._rng.uniform(0.5, 1.0, width),
            "beta": self._rng.normal(0.0, 0.1, width),
            "moving_mean": self._rng.normal(0.0, 0.1, width),
            "moving_variance": self._rng.uniform(0.5, 1.0, width),
        }
        if not center:
            del draw["beta"]
        for name, value in draw.items():
            self.values[f"{path}/{name}"] = value.astype(np.float32)
        get = {name: self.values[f"{path}/{name}"] for name in draw}
        x = (x - get["moving_mean"]) / np.sqrt(get["moving_variance"] + _EPSILON)
        return x * get["gamma"] + get.get("beta", 0.0)

    def _kernel(self, name, shape):
        deviation = np.sqrt(1.5 / np.prod(shape[:-1]))
        self.values[name] = self._rng.normal(0, deviation, shape).astype(np.float32)
        return self.values[name]

    def _path(self, kind):
        number = self._made[kind]
        self._made[kind] += 1
        return f"base_model/{kind}{f'_{number}' if number else ''}"
