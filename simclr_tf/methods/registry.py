"""Names of methods."""

from __future__ import annotations

from simclr_tf.dotted_names import import_class, is_dotted
from simclr_tf.errors import UserError
from simclr_tf.methods.dcl import DCLMethod
from simclr_tf.methods.jigsaw import JigsawMethod
from simclr_tf.methods.method import Method
from simclr_tf.methods.rotation import RotationMethod
from simclr_tf.methods.simclr import NTXentMethod
from simclr_tf.methods.supcon import SupConMethod
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.suggestions import did_you_mean

_METHODS: dict[str, type[Method]] = {
    "simclr": NTXentMethod,
    "supcon": SupConMethod,
    "dcl": DCLMethod,
    "rotation": RotationMethod,
    "jigsaw": JigsawMethod,
    "supervised": SupervisedMethod,
}

METHODS = tuple(_METHODS)


def method_class(name: str) -> type[Method]:
    """The class of a method.

    Args:
      name: one of `METHODS`, or "package.module:Class" of your own.

    Raises:
      UserError: where the name is unknown, or the class is no `Method`.
    """
    if is_dotted(name):
        return import_class("method", name, Method)
    if name not in _METHODS:
        raise UserError(
            f"method must be one of {', '.join(METHODS)}, or package.module:Class of "
            f"your own, got {name!r}.{did_you_mean(name, METHODS)}"
        )
    return _METHODS[name]
