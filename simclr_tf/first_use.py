"""TensorFlow is imported by the first module that needs it, and is checked then.

`simclr --help` answers without TensorFlow, whose import takes seconds. Python runs a
package's `__init__` before all of its modules, but nothing between them: therefore a
finder of modules, which finds none, watches for the first.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from types import ModuleType

from simclr_tf import autograph, legacy_keras

# Modules of the package that do without TensorFlow: what the command line needs to find
# a command, and what runs here.
_WITHOUT = {
    *("__main__", "autograph", "command_line", "dotted_names", "errors", "first_use"),
    *("kept_memory", "legacy_keras", "messages", "native_noise", "suggestions"),
    "version",
    *("cli", "cli.command", "cli.commands", "cli.defects", "cli.flag_errors"),
    *("cli.main", "cli.shortage", "cli.switches"),
}
_PACKAGE = __name__.partition(".")[0]


def watch() -> None:
    """Has Keras checked and AutoGraph told before a module that uses TensorFlow.

    The import of that module raises ImportError where there is no Keras 2.
    """
    sys.meta_path.insert(0, _Watch())


class _Watch(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> None:
        package, _, module = fullname.partition(".")
        if package != _PACKAGE or not module or module in _WITHOUT:
            return
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        try:
            legacy_keras.require()
            autograph.spare_the_package()
        except BaseException:
            sys.meta_path.insert(0, self)  # The next import is told the same.
            raise
