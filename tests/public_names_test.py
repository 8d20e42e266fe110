"""The public names of the package: they are there, and as type checkers see them."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import simclr_tf
from tests import tiny


def seen_by_type_checkers():
    """The public names by where `if TYPE_CHECKING` imports them from."""
    tree = ast.parse(pathlib.Path(simclr_tf.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {a.name: node.module for node in block.body for a in node.names}


def test_type_checkers_see_the_names_that_python_finds():
    seen = seen_by_type_checkers()
    assert {*seen, "__version__"} == set(simclr_tf.__all__)
    rooms = {name: f"simclr_tf.{room}" for name, room in simclr_tf._ROOM_OF.items()}
    assert {name: room for name, room in seen.items() if room != "simclr_tf"} == rooms


@pytest.mark.parametrize("name", simclr_tf.__all__)
def test_a_public_name_is_there(name):
    value = getattr(simclr_tf, name)
    room = seen_by_type_checkers().get(name, "simclr_tf")
    if room == "simclr_tf" and name != "__version__":
        assert value is importlib.import_module(f"simclr_tf.{name}")
    else:
        assert value is getattr(importlib.import_module(room), name)
    assert name in dir(simclr_tf)


def test_a_star_import_gives_all_of_them():
    names = {}
    exec("from simclr_tf import *", names)
    assert set(simclr_tf.__all__) <= set(names)


def test_a_room_is_reached_without_an_import_of_its_own():
    assert simclr_tf.evaluators.EvaluateEncoder.__module__.startswith("simclr_tf.")


def test_what_is_not_there_is_said_as_python_does():
    with pytest.raises(AttributeError, match="module 'simclr_tf' has no attribute 'x'"):
        simclr_tf.x  # noqa: B018
    assert not hasattr(simclr_tf, "_hidden")


@pytest.mark.slow
def test_what_was_saved_is_loaded_after_one_import(tmp_path):
    """Keras finds classes by name, of the package among them."""
    model = simclr_tf.SimCLR(tiny.encoder(), simclr_tf.ProjectionHead(num_layers=1))
    model.build((None, 16, 16, 3))
    model.save(tmp_path / "model.keras")
    program = (
        "import simclr_tf\n"
        "import tensorflow as tf\n"
        f"model = tf.keras.models.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(type(model).__name__, isinstance(model, simclr_tf.SimCLR))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.split() == ["SimCLR", "True"]
