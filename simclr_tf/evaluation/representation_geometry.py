"""How representations lie in their space: what collapses shows here first."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError

# Below these shares of what D independent directions would give, a representation is
# told to have collapsed: to a point, or to a few directions.
_LEAST_DEVIATION = 0.1
_LEAST_RANK = 0.02


@dataclasses.dataclass(frozen=True)
class Geometry:
    """What `geometry` finds.

    Examples:
      >>> found = simclr_tf.evaluation.geometry(np.eye(8))
      >>> f"{found.effective_rank:.1f} of {found.width}", found.collapse
      ('8.0 of 8', '')
      >>> simclr_tf.evaluation.geometry(np.ones([8, 8])).collapse[:47]
      'The representations of all images are nearly th'

    Attributes:
      uniformity: log of the mean Gaussian potential of pairs of unit representations
        (Wang & Isola 2020, equation 2 with t 2), -8 to 0; the lower, the more evenly
        they fill the sphere.
      effective_rank: exponential of the entropy of the singular values (RankMe, Garrido
        et al. 2023, definition 3.1), 1 to D.
      deviation: mean over directions of the standard deviation of unit representations,
        times the root of D: 1 where they fill the sphere evenly, 0 at a point.
      width: D.
      images: N.
    """

    uniformity: float
    effective_rank: float
    deviation: float
    width: int
    images: int

    @property
    def collapse(self) -> str:
        """What has collapsed, in plain words; "" where nothing has."""
        if self.deviation < _LEAST_DEVIATION:
            return (
                "The representations of all images are nearly the same (deviation "
                f"{self.deviation:.3f} of 1): the encoder has collapsed."
            )
        directions = min(self.width, self.images)
        if self.effective_rank < min(max(2.0, _LEAST_RANK * directions), directions):
            return (
                f"The representations lie in about {self.effective_rank:.1f} of "
                f"{directions} directions: the encoder has nearly collapsed."
            )
        return ""


def geometry(h: ArrayLike) -> Geometry:
    """Measures a set of representations.

    Args:
      h: `[N, D]` of two or more different images, finite; some thousands at most,
        since all pairs are compared.

    Raises:
      UserError: for other shapes, or where a number is NaN or infinite.
    """
    h = _checked("h", h)
    unit = _unit(h)
    return Geometry(
        uniformity=_uniformity(unit),
        effective_rank=_effective_rank(h),
        deviation=float(unit.std(axis=0).mean() * np.sqrt(h.shape[1])),
        width=h.shape[1],
        images=len(h),
    )


def alignment(h: ArrayLike, other_h: ArrayLike) -> float:
    """Mean squared distance of unit representations of two views of each image.

    Wang & Isola 2020, equation 1 with alpha 2; 0 to 4, the lower the more alike.

    Args:
      h: `[N, D]` of the first views, N at least 2, finite.
      other_h: `[N, D]` of the second views.

    Raises:
      UserError: for other shapes, or where a number is NaN or infinite.
    """
    h, other_h = _checked("h", h), _checked("other_h", other_h)
    if other_h.shape != h.shape:
        raise UserError(
            f"other_h must have the shape of h, {h.shape}, got {other_h.shape}."
        )
    return float(np.mean(np.sum((_unit(h) - _unit(other_h)) ** 2, axis=1)))


def _checked(name: str, h: ArrayLike) -> np.ndarray:
    h = np.asarray(h).astype(np.float64)
    if h.ndim != 2 or len(h) < 2 or not h.shape[1]:
        raise UserError(f"{name} must be [N, D] with N at least 2, got {h.shape}.")
    if not np.isfinite(h).all():
        raise UserError(f"{name} must be finite, and holds NaN or infinite values.")
    return h


def _unit(h: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays one."""
    length = np.linalg.norm(h, axis=1, keepdims=True)
    return h / np.where(length > 0, length, 1.0)


def _uniformity(unit: np.ndarray) -> float:
    products = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    return float(np.log(np.mean(np.exp(-2.0 * (2.0 - 2.0 * products)))))


def _effective_rank(h: np.ndarray) -> float:
    values = np.linalg.svd(h, compute_uv=False)
    total = values.sum()
    if not total > 0:
        return 1.0
    shares = values / total + 1e-7
    return float(np.exp(-np.sum(shares * np.log(shares))))
