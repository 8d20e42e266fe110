"""Names tell things apart: a public function does not hide the module it comes from."""

import importlib
import pathlib
import types

import pytest

import simclr_tf

_ROOT = pathlib.Path(simclr_tf.__file__).parent
_ROOMS = sorted(
    path.parent.relative_to(_ROOT.parent).as_posix().replace("/", ".")
    for path in _ROOT.rglob("__init__.py")
)
# Their functions are the room's, whose modules nobody else needs.
_HIDDEN = {"simclr_tf.training.pretrain", "simclr_tf.training.finetune"}


@pytest.mark.parametrize("room", _ROOMS)
def test_every_module_of_a_room_can_be_reached_by_its_name(room):
    package = importlib.import_module(room)
    public = getattr(package, "__all__", ())
    for path in sorted(pathlib.Path(package.__file__).parent.glob("*.py")):
        if path.stem in public and f"{room}.{path.stem}" not in _HIDDEN:
            assert isinstance(getattr(package, path.stem), types.ModuleType), path.stem
