"""Equation 1 of the paper and its gradient, written plainly in float64."""

import numpy as np


def nt_xent(z_a, z_b, temperature, normalize=True):
    """The mean of equation 1 over its 2N terms, and its gradients."""
    z = np.concatenate([z_a, z_b]).astype(np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True) if normalize else 1.0
    u = z / length
    count = len(z)
    partner = (np.arange(count) + count // 2) % count

    similarity = u @ u.T / temperature
    np.fill_diagonal(similarity, -np.inf)
    largest = similarity.max(axis=1, keepdims=True)
    exponential = np.exp(similarity - largest)
    total = exponential.sum(axis=1, keepdims=True)
    log_probability = similarity - largest - np.log(total)
    loss = -log_probability[np.arange(count), partner].mean()

    d_similarity = exponential / total
    d_similarity[np.arange(count), partner] -= 1.0
    d_similarity /= count * temperature
    d_u = d_similarity @ u + d_similarity.T @ u
    if normalize:
        d_u = (d_u - u * (d_u * u).sum(axis=1, keepdims=True)) / length
    return loss, d_u[: count // 2], d_u[count // 2 :]
