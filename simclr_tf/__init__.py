"""SimCLR for TensorFlow/Keras: from unlabelled images to a trained encoder."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from simclr_tf import command_line, first_use
from simclr_tf.version import __version__

if TYPE_CHECKING:
    from simclr_tf import (
        augmentation,
        checkpoints,
        data,
        evaluation,
        methods,
        training,
    )
    from simclr_tf.encoder import ResNet, SyncBatchNormalization, make_encoder
    from simclr_tf.export import export_encoder
    from simclr_tf.head import ProjectionHead
    from simclr_tf.loss import NTXent, nt_xent
    from simclr_tf.model import Learner, SimCLR
    from simclr_tf.optimizer import LARS, WarmupCosineDecay, scaled_learning_rate

__all__ = [
    "LARS",
    "Learner",
    "NTXent",
    "ProjectionHead",
    "ResNet",
    "SimCLR",
    "SyncBatchNormalization",
    "WarmupCosineDecay",
    "__version__",
    "augmentation",
    "checkpoints",
    "data",
    "evaluation",
    "export_encoder",
    "make_encoder",
    "methods",
    "nt_xent",
    "scaled_learning_rate",
    "training",
]

# The same for Python.
_ROOMS = {
    "encoder": ("ResNet", "SyncBatchNormalization", "make_encoder"),
    "export": ("export_encoder",),
    "head": ("ProjectionHead",),
    "loss": ("NTXent", "nt_xent"),
    "model": ("Learner", "SimCLR"),
    "optimizer": ("LARS", "WarmupCosineDecay", "scaled_learning_rate"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

first_use.watch()


def __getattr__(name: str) -> Any:
    """A public name, or a module of the package, imported now (PEP 562)."""
    if name in _ROOM_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
        globals()[name] = value
        return value
    module = f"{__name__}.{name}"
    if not name.startswith("_") and importlib.util.find_spec(module):
        return importlib.import_module(module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A program that imports the package may have Keras load by name what was saved: all
# classes are registered then. A command waits for what it needs, since TensorFlow takes
# seconds.
if not command_line.is_command():
    for _name in __all__:
        if _name not in globals():
            __getattr__(_name)
