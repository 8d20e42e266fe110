"""The exported step gives TensorFlow's own results in JAX, and what fails is said."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from simclr_tf.training import Recipe, build_model
from tests import tiny
from tools.gpu_step import cases
from tools.gpu_step.export import export
from tools.gpu_step.flops import model_flops
from tools.gpu_step.report import published_peak, table
from tools.gpu_step.run import Race, parse
from tools.gpu_step.workers import Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = {"encoder": "resnet18", "views": "crop(0.2)|flip", "image_size": 32}


def run(python, steps, output, *flags):
    """What `run.py` gives as JSON and as a table."""
    named = [f"--steps={steps}", f"--output={output}"]
    subprocess.run(
        [python, "-m", "tools.gpu_step.run", *named, *flags],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        check=True,
        capture_output=True,
    )
    return (
        json.loads((output / "result.json").read_text()),
        (output / "result.md").read_text(),
    )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_steps_in_jax_are_tensorflows_own_and_the_rest_outlives_a_failure(
    compiler, tmp_path
):
    steps, output = tmp_path / "steps", tmp_path / "result"
    export(steps, [cases.CHECK], compiler)
    manifest = json.loads((steps / "manifest.json").read_text())
    (case,) = manifest["cases"]
    # Before it, a case whose program is cut short, and whose peer finds no PyTorch.
    (program,) = case["programs"].values()
    shutil.copytree(steps / program, steps / "broken")
    artifact = steps / "broken" / "program.mlirbc"
    artifact.write_bytes(artifact.read_bytes()[:1000])
    broken = {"name": "broken", "programs": {cases.VIEWS: "broken"}, "peer": PEER}
    manifest["cases"].insert(0, {**case, **broken})
    (steps / "manifest.json").write_text(json.dumps(manifest))

    result, shown = run(compiler, steps, output, "--rounds=2", "--turn_seconds=0.1")
    *failed, row = result["rows"]
    assert [(each["case"], each["by"]) for each in failed] == [
        ("broken", "JAX"),
        ("broken", "PyTorch"),
        ("broken", "PyTorch"),
    ]
    assert not any(each["turns"] for each in failed)
    for each in failed:
        assert f"broken, {each['form']}, {each['by']}: {each['failed']}" in shown
    assert "No module named 'torch'" in failed[1]["failed"]
    assert row["case"] == cases.CHECK
    assert len(row["turns"]) == 2
    assert row["check"]["steps"] == 3
    assert row["check"]["weights_moved"] > 1e-3
    assert row["check"]["outputs_apart"] < 1e-9
    assert row["check"]["variables_apart"] < 1e-9
    assert f"| {cases.CHECK} | {cases.VIEWS} | JAX |" in shown


def write_manifest(folder, **case):
    folder.mkdir()
    whole = {
        "name": "one",
        "programs": {cases.VIEWS: "one"},
        "batch_size": 64,
        "flops_per_step": 64e9,
        "checked": False,
        "peer": PEER,
        **case,
    }
    manifest = {"simclr_tf": "0", "tensorflow": "0", "cases": [whole]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_without_time_each_row_says_so(tmp_path):
    steps = tmp_path / "steps"
    write_manifest(steps)
    flags = [f"--steps={steps}", f"--output={tmp_path / 'out'}", "--budget=0"]
    race = Race(parse(flags))
    race.run()
    assert [row["by"] for row in race.rows] == ["JAX", "PyTorch", "PyTorch"]
    shown = (tmp_path / "out" / "result.md").read_text()
    for row in race.rows:
        assert f"one, {row['form']}, {row['by']}: no time was left" in shown


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "sleepy.py").write_text(
        "import os, time\n"
        "from tools.gpu_step.answering import answer\n"
        "def sleep(seconds):\n"
        "    print('zzz', flush=True)\n    time.sleep(seconds)\n    return {}\n"
        "def end():\n    os.write(2, b'killed for memory')\n    os._exit(3)\n"
        "answer({'sleep': sleep, 'end': end})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = Worker("sleepy", [], tmp_path / "log")
    yield made
    made.stop()


def test_a_worker_answers_and_its_failure_is_an_answer(worker, tmp_path):
    assert worker.ask("sleep", 30.0, seconds=0) == {}
    said = worker.ask("sleep", 30.0, seconds=-1)
    assert said == {"failed": "ValueError: sleep length must be non-negative"}
    assert worker.ask("sleep", 30.0, seconds=0) == {}
    assert (tmp_path / "log").read_text().startswith("zzz\n")


def test_a_late_worker_is_stopped_and_answers_no_more(worker):
    said = worker.ask("sleep", 2.0, seconds=60)
    assert said["failed"].startswith("no answer within 2 s")
    assert worker.ask("sleep", 30.0, seconds=0) == said


def test_the_last_words_of_a_worker_that_ends_are_told(worker):
    said = worker.ask("end", 30.0)
    assert said == {"failed": "the process ended; its last words: killed for memory"}


def test_the_table_has_rates_and_shares_of_the_cards_peak():
    turns = [{"seconds": s, "peak_bytes": 3 * 2**30} for s in (0.1, 0.2, 0.125)]
    row = {"case": "r", "form": "views", "by": "JAX", "turns": turns}
    row.update(images_per_step=128, flops_per_step=1e13)
    result = {
        "what": "",
        "card": "NVIDIA H100 80GB HBM3, 81559 MiB",
        "workers": {"JAX": {"version": "", "device": "", "product_flops": 8e14}},
        "rows": [row],
    }
    # 1e13 operations in 0.125 s are 80 TFLOP/s.
    cells = "| r | views | JAX | 1,024.0 | 640.0 to 1,280.0 | 125.0 | 3.0 | 8% | 10% |"
    assert cells in table(result).splitlines()
    assert published_peak("a card of tomorrow") is None


def test_flops_are_three_times_those_of_two_views_forwards():
    recipe = Recipe(
        image_size=16, encoder=tiny.NAME, head_layers=2, head_out_dim=4, batch_size=3
    ).resolve()
    convolutions = 8 * 8 * 8 * 27 + 4 * 4 * 16 * 72
    head = 16 * 16 + 16 * 4
    # Each multiplication with its addition, of two views, three times.
    expected = 2 * (convolutions + head) * 2 * 3 * 3
    assert model_flops(build_model(recipe), recipe) == expected


def test_without_jax_its_rows_say_so(tmp_path):
    if (
        subprocess.run(
            [sys.executable, "-c", "import jax"], capture_output=True, check=False
        ).returncode
        == 0
    ):
        pytest.skip("jax is here")
    write_manifest(tmp_path / "steps", peer=None)
    result, shown = run(sys.executable, tmp_path / "steps", tmp_path / "out")
    (row,) = result["rows"]
    assert "No module named 'jax'" in row["failed"]
    assert row["failed"] in shown
