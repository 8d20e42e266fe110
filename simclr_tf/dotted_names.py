"""Parts of a user's own, named on the command line as "package.module:name"."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar

from simclr_tf.errors import UserError

_Base = TypeVar("_Base")
# Lists that each imported module is added to.
_notes: list[list[ModuleType]] = []


@contextlib.contextmanager
def modules_noted() -> Iterator[list[ModuleType]]:
    """Gives a list of the modules that dotted names name while it is entered."""
    noted: list[ModuleType] = []
    _notes.append(noted)
    try:
        yield noted
    finally:
        _notes.remove(noted)


def is_dotted(name: str) -> bool:
    """Whether a name is that of a part of the user's own."""
    return ":" in name


def import_dotted(setting: str, name: str, what: str = "function") -> Any:
    """The object that a name "package.module:name" names.

    Args:
      setting: what the user set to the name, for messages.
      name: a module, a colon, and an attribute of the module.
      what: what the attribute is to be, for messages.

    Raises:
      UserError: where there is no such object, the module cannot be imported, or the
        object cannot be called.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
        for noted in _notes:
            noted.append(module)
        found = getattr(module, attribute)
    except Exception as error:  # A user's module may raise anything.
        raise UserError(
            f"{setting} {name!r} cannot be imported: {_reason(error)}. It is to be "
            f"package.module:{what}, found from the current folder and the folders in "
            "PYTHONPATH."
        ) from error
    if not callable(found):
        raise UserError(
            f"{setting} {name!r} must be a {what}, got {type(found).__name__}."
        )
    return found


def import_class(setting: str, name: str, base: type[_Base]) -> type[_Base]:
    """The class that a name "package.module:Class" names.

    Args:
      setting: see `import_dotted`.
      name: see `import_dotted`.
      base: what the class must be derived from.

    Raises:
      UserError: as `import_dotted`, or where the class is not derived from `base`.
    """
    found = import_dotted(setting, name, "Class")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(
            f"{setting} {name!r} must be a class derived from {base.__name__}, got "
            f"{found!r}."
        )
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, (ImportError, AttributeError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
