"""Features of a whole dataset."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import explain_out_of_range
from simclr_tf.encoder.misfit import misfit
from simclr_tf.errors import UserError
from simclr_tf.evaluation.parts import in_parts, is_alike_on_replicas

# For each model its parts and, by input, its graph: a monitor encodes with the same
# model in every epoch.
_graphs: weakref.WeakKeyDictionary[tf.Module, tuple[list, dict]] = (
    weakref.WeakKeyDictionary()
)


def encode(
    model: Callable[..., tf.Tensor],
    dataset: tf.data.Dataset,
    *,
    progress: Callable[[int], None] | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Runs an encoder over every example of a dataset, in inference mode.

    Args:
      model: maps images `[B, H, W, C]` to `[B, D]`, or to `[B, h, w, D]`, which is
        averaged over h and w: a Keras model, a loaded SavedModel or a function.
        Called with `training=False` where it takes `training`. The graph of a
        Keras model is kept for the next call until a layer of it is replaced, or
        frozen or thawed.
      dataset: finite, of batches `{"image": [B, H, W, C], "label": int [B]}`; the
        last batch may be smaller, labels may be absent.
      progress: called after each batch with the number of examples done so far.
      strategy: whose replicas share the work, each encoding a part of every batch.
        All workers of it must call this with equal datasets, and each is given all
        features. A Keras model whose batch norm keeps statistics of each replica is
        encoded by one device all the same, with the mean of those statistics.

    Returns:
      (features, labels): float32 `[N, D]` and int64 `[N]`, in the order of the
      dataset; labels are None where the dataset has none.

    Raises:
      UserError: the dataset is not one of such batches, is endless or is empty,
        the model cannot be called with its images, or the model's output is not such a
        tensor.
    """
    features, labels, done = [], [], 0
    for h, y in encode_batches(model, dataset, strategy=strategy):
        features.append(h)
        if y is not None:
            labels.append(y)
        done += len(h)
        if progress is not None:
            progress(done)
    if not done:
        raise UserError("dataset must hold at least one example, got none")
    return np.concatenate(features), np.concatenate(labels) if labels else None


def encode_batches(
    model: Callable[..., tf.Tensor],
    dataset: tf.data.Dataset,
    *,
    strategy: tf.distribute.Strategy | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """As `encode`, batch by batch, so that memory holds one.

    Args:
      model: see `encode`.
      dataset: see `encode`.
      strategy: see `encode`.

    Yields:
      (features, labels) of each batch: float32 `[B, D]`, and int64 `[B]` or None.

    Raises:
      UserError: as `encode`, but for an empty dataset, which gives nothing.
    """
    if not callable(model):
        raise UserError(f"model must be callable, got a {type(model).__name__}")
    image = _image_spec(dataset)
    # One graph for whole batches and the remainder alike.
    shape = image.shape if image.shape.rank is None else [None, *image.shape[1:]]
    represent = _graph(model, tf.TensorSpec(shape, image.dtype), strategy)
    for batch in dataset:
        h = _represent(represent, batch["image"])
        labels = batch["label"].numpy().astype(np.int64) if "label" in batch else None
        yield h, labels


def _image_spec(dataset: tf.data.Dataset) -> tf.TensorSpec:
    """The spec of a dataset's images; UserError unless the dataset suits `encode`."""
    if not isinstance(dataset, tf.data.Dataset):
        raise UserError(
            f"dataset must be a tf.data.Dataset, got a {type(dataset).__name__}"
        )
    spec = dataset.element_spec
    if not isinstance(spec, Mapping) or "image" not in spec:
        raise UserError(
            'dataset must give dicts with "image" and, where known, "label", got '
            f"elements {spec}"
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError("dataset must end, got one that repeats for ever")
    image, label = spec["image"], spec.get("label")
    if not isinstance(image, tf.TensorSpec) or image.shape.rank not in (None, 4):
        raise UserError(
            f'dataset must give batches: "image" of shape [B, H, W, C], got {image}'
        )
    if label is not None and not (
        isinstance(label, tf.TensorSpec)
        and label.shape.rank in (None, 1)
        and label.dtype.is_integer
    ):
        raise UserError(
            f'dataset must give "label" as integers of shape [B], got {label}'
        )
    return image


def _represent(
    represent: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor
) -> np.ndarray:
    try:
        return represent(images).numpy()
    except tf.errors.OpError as error:
        explain_out_of_range(error)
        raise
    except (TypeError, ValueError) as error:
        found = misfit(error)
        if found is None:
            raise
        raise UserError(
            f"model does not take images of shape {images.shape} and dtype "
            f"{images.dtype.name}: {found}"
        ) from error


def _graph(
    model: Callable[..., tf.Tensor],
    spec: tf.TensorSpec,
    strategy: tf.distribute.Strategy | None,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model in inference mode as one graph, kept as long as the model lives."""
    arguments = {"training": False} if _takes_training(model) else {}
    if not isinstance(model, tf.Module):
        return _trace(model, spec, arguments, strategy)
    if isinstance(model, tf.keras.Model) and not is_alike_on_replicas(model):
        strategy = None
    parts, graphs = _graphs.get(model, (None, {}))
    now = _parts(model)
    if parts != now:
        graphs = {}
        _graphs[model] = now, graphs
    if (spec, strategy) not in graphs:
        # A graph that held its model would keep it alive for ever.
        graphs[spec, strategy] = _trace(weakref.proxy(model), spec, arguments, strategy)
    return graphs[spec, strategy]


def _parts(model: tf.Module) -> list[tuple[weakref.ref, bool | None]]:
    """What a model's graph was made of: if this changes, the graph is out of date."""
    modules = (model, *model.submodules)
    return [(weakref.ref(m), getattr(m, "trainable", None)) for m in modules]


def _trace(
    model: Callable[..., tf.Tensor],
    spec: tf.TensorSpec,
    arguments: dict[str, bool],
    strategy: tf.distribute.Strategy | None,
) -> Callable[[tf.Tensor], tf.Tensor]:
    def represent(images: tf.Tensor) -> tf.Tensor:
        h = model(images, **arguments)
        if not tf.is_tensor(h):
            raise UserError(f"model must give a tensor, got a {type(h).__name__}")
        h = tf.cast(h, tf.float32)
        if h.shape.rank == 4:
            h = tf.reduce_mean(h, axis=[1, 2])
        if h.shape.rank != 2:
            raise UserError(
                f"model must give [B, D] or [B, h, w, D], got shape {h.shape}"
            )
        return h

    if strategy is None or strategy.num_replicas_in_sync == 1:
        return tf.function(represent, input_signature=[spec])
    return in_parts(represent, strategy)


def _takes_training(model: Callable[..., tf.Tensor]) -> bool:
    try:
        parameters = inspect.signature(model).parameters
    except (TypeError, ValueError):
        return False
    return "training" in parameters or any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
    )
