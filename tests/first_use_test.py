"""TensorFlow is imported when something needs it, and then checked first."""

import subprocess
import sys

import pytest

from simclr_tf import first_use

_KERAS_3 = """
from types import SimpleNamespace
__version__ = "2.16.1"
keras = SimpleNamespace(__version__="3.4.1")
"""


def run(program, *arguments, folder=None):
    """The status of a Python program, and the lines of its stdout and stderr."""
    done = subprocess.run(
        [sys.executable, *arguments, *([] if program is None else ["-c", program])],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_the_modules_that_do_without_tensorflow_do():
    names = sorted(first_use._WITHOUT - {"__main__"})
    program = (
        "import sys; sys.argv = ['simclr']\n"
        f"import {', '.join(f'simclr_tf.{name}' for name in names)}\n"
        "print({'tensorflow', 'numpy'} & set(sys.modules))\n"
    )
    assert run(program) == (0, ["set()"], [])


@pytest.mark.parametrize(
    "statement", ["simclr_tf.SimCLR", "import simclr_tf.data", "simclr_tf.loss"]
)
def test_keras_3_is_refused_by_whatever_uses_tensorflow(tmp_path, statement):
    (tmp_path / "tensorflow.py").write_text(_KERAS_3)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['simclr']\n"
        "import simclr_tf\n"
        "for _ in range(2):\n"  # It is not forgotten by the second time.
        f"    try: {statement}\n"
        "    except ImportError as error: print(error)\n"
    )
    status, output, _ = run(program)
    assert status == 0
    assert len(output) == 2
    for line in output:
        assert "tf.keras of TensorFlow 2.16.1 is Keras 3.4.1: pip install" in line


def test_a_command_says_in_a_line_that_there_is_no_tensorflow():
    program = (
        "import sys; sys.modules['tensorflow'] = None; sys.argv = ['simclr', 'knn']\n"
        "from simclr_tf.cli.main import run\n"
        "run()\n"
    )
    status, output, errors = run(program)
    assert (status, output) == (2, [])
    assert len(errors) == 1
    assert errors[0].startswith("simclr: simclr_tf needs TensorFlow, which this Python")
