"""Representations in two dimensions, and in groups."""

from __future__ import annotations

import contextlib

import numpy as np

# Groups are looked for where there are no labels.
CLUSTERS = 10


def principal_components(features: np.ndarray) -> tuple[np.ndarray, float]:
    """The two directions of unit representations that vary most.

    Args:
      features: `[N, D]`, finite, N at least 2.

    Returns:
      Coordinates `[N, 2]`, and the share of the variance that they show, 0 to 1.
    """
    unit = _unit(features)
    centred = unit - unit.mean(axis=0)
    u, values, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(features), 2))
    known = min(2, len(values))
    found[:, :known] = u[:, :known] * values[:known]
    total = float(np.sum(values**2))
    return found, float(np.sum(values[:2] ** 2)) / total if total > 0 else 1.0


def umap(features: np.ndarray, seed: int = 0) -> np.ndarray | None:
    """UMAP (McInnes et al. 2018) by cosine, `[N, 2]`.

    None where the package umap-learn is not installed, or there are too few images.
    """
    if len(features) < 16:
        return None
    with contextlib.suppress(ImportError):
        from umap import UMAP

        neighbours = min(15, len(features) - 1)
        made = UMAP(
            n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1
        )
        return np.asarray(made.fit_transform(_unit(features)), np.float64)
    return None


def clusters(features: np.ndarray, count: int = CLUSTERS, seed: int = 0) -> np.ndarray:
    """Groups of unit representations by k-means, int `[N]`, the largest first."""
    from sklearn.cluster import KMeans

    unit = _unit(features)
    count = min(count, len(np.unique(unit, axis=0)))
    made = KMeans(count, n_init=3, random_state=seed).fit_predict(unit)
    by_size = np.argsort(-np.bincount(made, minlength=count), kind="stable")
    return np.argsort(by_size)[made]


def _unit(features: np.ndarray) -> np.ndarray:
    h = features.astype(np.float64)
    length = np.linalg.norm(h, axis=1, keepdims=True)
    return h / np.where(length > 0, length, 1.0)
