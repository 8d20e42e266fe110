"""The same global batches give the same training, however many replicas share them.

In float64, where a wrong gradient cannot hide behind rounding, ten steps agree. In
float32 an early, fast-moving network multiplies a rounding error a hundredfold a
step, so that only the first step can be held to a tolerance that means something.
The TPU program has the same test in `tests/tpu_check/conformance_test.py`.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.distribution.local_cluster import configs

pytestmark = pytest.mark.slow

_CASE = pathlib.Path(__file__).parent / "train_case.py"
_DEVICES = {"mirrored x2": 2, "mirrored x4": 4, "mirrored x8": 8, "two workers": 2}
_EXACT = 1e-9  # The error of ten steps in float64; seen are 1e-13 and less.
_ROUNDED = 1e-4  # The error of one step in float32; seen are 1e-5 and less.
# bfloat16 keeps 8 bits: its error against float32 bounds what replicas may add.
_COARSE = 1e-3  # Of the loss of one step; seen is 1e-4.


def _start(arguments, output, environment=None):
    command = [sys.executable, str(_CASE), *arguments, f"--output={output}"]
    return subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def train(images_npz, tmp_path_factory):
    """Runs a case in a process of its own, once however often it is asked for."""
    folder = tmp_path_factory.mktemp("cases")
    results = {}

    def run(devices, *arguments):
        key = (devices, *arguments)
        if key in results:
            return results[key]
        output = folder / f"{len(results)}.npz"
        strategy, replicas = "one", 1
        environments = [None]
        if devices == "two workers":
            strategy, replicas = "multiworker", 2
            environments = [{"TF_CONFIG": config} for config in configs(2)]
        elif devices != "one":
            strategy, replicas = "mirrored", _DEVICES[devices]
        case = [f"--strategy={strategy}", f"--replicas={replicas}", *arguments]
        outputs = [output.with_suffix(f".{i}.npz") for i in range(len(environments))]
        processes = [
            _start([*case, f"--images={images_npz}"], path, environment)
            for path, environment in zip(outputs, environments)
        ]
        for process in processes:
            said, _ = process.communicate(timeout=600)
            assert process.returncode == 0, said[-3000:]
        found = []
        for path in outputs:
            with np.load(path) as arrays:
                found.append(dict(arrays))
        for other in found[1:]:
            for name, values in found[0].items():
                np.testing.assert_array_equal(values, other[name], err_msg=name)
        results[key] = found[0]
        return found[0]

    return run


def _error(ours, theirs):
    """Of a vector, relative to its length."""
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize("encoder", ["plain", "selective"])
@pytest.mark.parametrize("devices", _DEVICES)
def test_ten_steps_are_those_of_one_device(train, devices, encoder):
    groups = 1 if devices in ("mirrored x4", "mirrored x8") else 4
    case = [f"--encoder={encoder}", f"--groups={groups}", "--views"]
    ours, theirs = train(devices, *case), train("one", *case)
    assert len(theirs["loss"]) == 10
    assert np.ptp(theirs["loss"]) > 0.1
    assert {"gradient", "moving", "weights", "contrastive_accuracy"} < theirs.keys()
    for name, expected in theirs.items():
        assert _error(ours[name], expected) < _EXACT, name


def test_views_made_by_replicas_with_lars_a_probe_and_steps_at_once(train):
    case = ["--optimizer=lars", "--probe", "--steps-per-execution=5", "--groups=2"]
    ours, theirs = train("mirrored x2", *case), train("one", *case)
    assert len(theirs["probe_loss"]) == 2
    assert theirs["probe_accuracy"].max() > 0
    for name, expected in theirs.items():
        assert _error(ours[name], expected) < _EXACT, name


def test_activations_computed_again_by_replicas(train):
    case = ["--views", "--groups=2"]
    ours = train("mirrored x2", *case, "--rematerialize")
    for name, expected in train("one", *case).items():
        assert _error(ours[name], expected) < _EXACT, name


def test_the_first_step_in_float32(train):
    case = ["--floatx=float32", "--views", "--groups=2"]
    ours, theirs = train("mirrored x2", *case), train("one", *case)
    assert _error(ours["gradient"], theirs["gradient"]) < _ROUNDED
    np.testing.assert_allclose(ours["loss"][0], theirs["loss"][0], rtol=_ROUNDED)


def test_the_first_step_in_bfloat16(train):
    """Replicas round other sums, and stray from float32 no farther than one does."""
    case = ["--floatx=float32", "--views", "--groups=2"]
    exact = train("one", *case)["gradient"]
    case += ["--policy=mixed_bfloat16"]
    ours, theirs = train("mirrored x2", *case), train("one", *case)
    np.testing.assert_allclose(ours["loss"][0], theirs["loss"][0], rtol=_COARSE)
    alone = _error(theirs["gradient"], exact)
    assert 0 < alone < 0.5
    assert _error(ours["gradient"], exact) < 1.25 * alone
