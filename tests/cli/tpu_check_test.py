"""`simclr tpu_check` as a user types it."""

import json
import os
import pathlib
import sys

import pytest

from simclr_tf.cli.main import main
from simclr_tf.tpu_check import NOT_PROVEN, CompilerMissing
from simclr_tf.tpu_check.second_environment import DEFAULT, find_compiler

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SMALL = [
    *("--image_size=32", "--encoder=resnet18x0.125", "--optimizer=lars"),
    *("--batch_size=64", "--precision=bfloat16"),
]


@pytest.fixture(scope="module")
def python():
    """The flag that names the Python of the TPU compiler."""
    default = os.environ.get("SIMCLR_TPU_CHECK_PYTHON", str(ROOT / DEFAULT))
    try:
        return f"--compiler_python={find_compiler(default)}"
    except CompilerMissing as error:
        pytest.skip(str(error))


def mistake(capsys, *arguments):
    """What stderr says of a command line that must fail as the user's mistake."""
    assert main(["tpu_check", *arguments]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("simclr: ")]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="needs TensorFlow 2.15")
def test_figures_are_shown_and_written(python, capsys, tmp_path):
    output = tmp_path / "check.json"
    arguments = [python, "--topology=v5e:2x2", f"--output={output}", *SMALL]
    assert main(["tpu_check", *arguments, "--augment_on=device"]) == 0
    shown = capsys.readouterr().out
    for words in ("resnet18x0.125", "v5e:2x2: 4 chips, 4 cores", "16 images each"):
        assert words in shown
    for words in ("planned memory", "FLOPs", "all-reduce", "at least, by compute"):
        assert words in shown
    assert shown.rstrip().endswith(NOT_PROVEN)
    written = json.loads(output.read_text())
    assert written["recipe"]["encoder"] == "resnet18x0.125"
    assert written["augment_on"] == "device"
    assert written["bounds"]["compute"] > 0
    assert written["not_proven"] == NOT_PROVEN


def test_the_way_to_the_compiler_is_shown_where_it_is_absent(capsys, tmp_path):
    said = mistake(capsys, f"--compiler_python={tmp_path / 'bin' / 'python'}", *SMALL)
    assert "pip install jax==" in said
    assert f"-m venv {tmp_path}" in said


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--topology=v3-8", "such as v3:8x8"),
        ("--topology=v99:2x2", "v2, v3, v4, v5e, v5p, v6e"),
        ("--precision=float8", "float16"),
        ("--input_size=1", "input_size"),
        ("--head_layers=4", "head_layers must be 0 to 3"),
        ("--run=here", "run"),
    ],
)
def test_a_bad_value_is_named(capsys, argument, words):
    assert words in mistake(capsys, *SMALL, argument)


def test_a_batch_that_the_cores_do_not_divide_is_named(python, capsys):
    arguments = [python, "--topology=v3:2x2", *SMALL, "--batch_size=100"]
    assert "multiple of the 8 cores, such as 96 or 104" in mistake(capsys, *arguments)


def test_a_slice_that_does_not_exist_is_named(python, capsys):
    assert "no slice of v3" in mistake(capsys, python, "--topology=v3:3x5", *SMALL)
