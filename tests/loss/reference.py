"""Equation 1 of the paper and its gradient, written plainly in float64."""

import numpy as np


def nt_xent(z_a, z_b, temperature, normalize=True):
    """The mean of equation 1 over its 2N terms, and its gradients."""
    return supcon(z_a, z_b, np.arange(len(z_a)), temperature, normalize)


def supcon(z_a, z_b, labels, temperature, normalize=True):
    """The mean of SupCon's equation 2 over its 2N terms, and its gradients."""
    labels = np.where(labels < 0, -1 - np.arange(len(labels)), labels)
    labels = np.concatenate([labels, labels])
    itself = np.eye(len(labels), dtype=bool)
    positives = (labels[:, None] == labels) & ~itself
    return _mean_loss(z_a, z_b, positives, ~itself, temperature, normalize)


def dcl(z_a, z_b, temperature, normalize=True):
    """NT-Xent whose denominators leave the positive out, and its gradients."""
    image = np.tile(np.arange(len(z_a)), 2)
    same = image[:, None] == image
    positives = same & ~np.eye(len(image), dtype=bool)
    return _mean_loss(z_a, z_b, positives, ~same, temperature, normalize)


def _mean_loss(z_a, z_b, positives, summed, temperature, normalize):
    """Mean of log of the sum over `summed` less the mean over `positives`."""
    z = np.concatenate([z_a, z_b]).astype(np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True) if normalize else 1.0
    u = z / length
    count = len(z)
    share = positives / positives.sum(axis=1, keepdims=True)

    similarity = u @ u.T / temperature
    largest = np.where(summed, similarity, -np.inf).max(axis=1, keepdims=True)
    exponential = np.where(summed, np.exp(similarity - largest), 0.0)
    total = exponential.sum(axis=1, keepdims=True)
    loss = (largest + np.log(total)).mean() - (share * similarity).sum() / count

    d_similarity = exponential / total - share
    d_similarity /= count * temperature
    d_u = d_similarity @ u + d_similarity.T @ u
    if normalize:
        d_u = (d_u - u * (d_u * u).sum(axis=1, keepdims=True)) / length
    return loss, d_u[: count // 2], d_u[count // 2 :]
