"""What is said of a run in words."""

import pytest

from simclr_tf.report.run_figures import read_run
from simclr_tf.report.summary import headline, tiles, verdict
from tests.report.made_runs import write_figures

_CLASSIFIED = {
    "top1": 0.74,
    "standard_error": 0.02,
    "images": 1397,
    "largest_class": 0.1,
    "chance": 0.08,
    "verdict": None,
}


def _run(tmp_path, **result):
    write_figures(tmp_path, **result)
    text = "# Of simclr finetune.\n--encoder=resnet18\n"
    (tmp_path / "flags.txt").write_text(text)
    return read_run(str(tmp_path))


def test_a_classifier_is_judged_by_its_test_images(tmp_path):
    run = _run(tmp_path, **_CLASSIFIED)
    assert headline(run).startswith("Fine-tuning trained resnet18")
    found = verdict(run)
    assert found["kind"] == "good"
    assert found["title"] == "74.0 % of 1,397 test images named rightly"
    (line,) = found["lines"]
    assert "error 2.0 %" in line
    assert "largest class 10.0 %, chance 8.0 %" in line
    assert {"value": "74.0 %", "name": "top-1 (test)"} in tiles(run)


@pytest.mark.parametrize("largest", [0.69, 0.9])
def test_one_that_names_the_largest_class_has_learned_nothing(tmp_path, largest):
    found = verdict(_run(tmp_path, **{**_CLASSIFIED, "largest_class": largest}))
    assert found["kind"] == "bad"
    assert "no more than by chance" in found["title"]


def test_the_larger_sample_of_one_figure_is_shown(tmp_path):
    write_figures(tmp_path)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 30, "epoch": 3, "knn_accuracy": 0.5}\n')
    assert "kNN accuracy" in [each["name"] for each in tiles(read_run(str(tmp_path)))]
    (tmp_path / "knn.json").write_text('{"top1": 0.6}')
    names = [each["name"] for each in tiles(read_run(str(tmp_path)))]
    assert "kNN top-1 (test)" in names
    assert "kNN accuracy" not in names
