"""What is wrong with views, as far as a look at them tells."""

from __future__ import annotations

import numpy as np

# Means and standard deviations over pixels in [0, 1], found by eye.
_BLACK, _WHITE, _PLAIN, _ALIKE = 0.04, 0.96, 0.02, 0.02
# Shares of the views from which it is said: a few such views are no harm.
_SOME, _MOST = 0.1, 0.5


def view_warnings(images: np.ndarray, views: np.ndarray) -> list[str]:
    """Lines that say what is wrong, and which flags of `simclr pretrain` to change.

    Said where a tenth of the views are nearly black, nearly white or of one plain
    colour, which the images are not, or half the pairs are nearly alike.

    Args:
      images: floating point in [0, 1] `[N, H, W, C]`, nothing augmented.
      views: floating point in [0, 1] `[N, 2 * epochs, h, w, C]`, pairs of views one
        after the other.
    """
    found = []
    dark, bright, plain = _faults(images)
    for share, what in ((dark, "black"), (bright, "white")):
        if share.mean() >= _SOME:
            found.append(
                f"{_count(share, 'images')} are nearly {what} before any augmentation. "
                "Where their values do not fill their type, say their range: "
                "--value_range=0,4095."
            )
    bad = (dark | bright | plain)[:, None]
    dark, bright, plain = (fault & ~bad for fault in _faults(views))
    for share, what in ((dark, "black"), (bright, "white")):
        if share.mean() >= _SOME:
            found.append(
                f"{_count(share, 'views')} are nearly {what}, and their images are "
                "not: try a lower --color_strength."
            )
    plain &= ~(dark | bright)
    if plain.mean() >= _SOME:
        found.append(
            f"{_count(plain, 'views')} show almost nothing: one plain colour, where "
            "their images have more. Crops may be too small: try --crop_min_area=0.3."
        )
    pairs = views.reshape([len(views), -1, 2, *views.shape[2:]])
    apart = np.abs(pairs[:, :, 0] - pairs[:, :, 1]).mean(axis=(2, 3, 4))
    alike = apart < _ALIKE
    if alike.mean() >= _MOST:
        found.append(
            f"{_count(alike, 'pairs of views')} are nearly alike: to tell them apart "
            "teaches little. Make them differ more: crop, jitter and gray in --views, "
            "or a higher --color_strength."
        )
    return found


def _faults(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of `[..., H, W, C]` are nearly black, nearly white, of one colour."""
    means = pictures.mean(axis=(-3, -2, -1))
    spread = pictures.std(axis=(-3, -2)).mean(axis=-1)
    return means < _BLACK, means > _WHITE, spread < _PLAIN


def _count(which: np.ndarray, what: str) -> str:
    return f"{int(which.sum())} of {which.size} {what}"
