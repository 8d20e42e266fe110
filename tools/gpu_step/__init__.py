"""The training step on a GPU, run by JAX, beside the same step in PyTorch."""
