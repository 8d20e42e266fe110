"""How a sample's representations lie in their space, and the spectrum behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.evaluation.representation_geometry import geometry

# Values of the spectrum that a page shows at most.
_MOST = 512


def spectrum(features: np.ndarray) -> dict[str, Any] | None:
    """Singular values of representations, and what `evaluation.geometry` measures.

    Args:
      features: `[N, D]`.

    Returns:
      `values`, as shares of the largest, descending; `effective_rank`, `uniformity`,
      `deviation`, `width`, `images`, and `collapse`, a line, "" where nothing has
      collapsed. None where there are too few images.
    """
    try:
        found = geometry(features)
    except UserError:
        return None
    values = np.linalg.svd(features.astype(np.float64), compute_uv=False)
    largest = values[0] if len(values) and values[0] > 0 else 1.0
    return {
        "values": [float(f"{value:.4g}") for value in values[:_MOST] / largest],
        "effective_rank": found.effective_rank,
        "uniformity": found.uniformity,
        "deviation": found.deviation,
        "width": found.width,
        "images": found.images,
        "collapse": found.collapse,
    }
