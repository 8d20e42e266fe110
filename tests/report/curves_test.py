"""Logged figures become charts that hold their exact values."""

import dataclasses
import math

import pytest

from simclr_tf.report.curves import ACCURACIES, LOSSES, curves, group_of, thinned
from simclr_tf.report.run_figures import read_run
from tests.report.made_runs import rows, write_figures


@pytest.fixture
def run(tmp_path):
    write_figures(tmp_path / "run")
    return read_run(str(tmp_path / "run"))


def chart_of(charts, title):
    return next(chart for chart in charts if chart["title"] == title)


def test_every_figure_has_its_exact_values(run):
    charts = curves([run])
    (series,) = chart_of(charts, "Loss")["series"]
    ends = [row for row in rows() if isinstance(row["epoch"], int)]
    assert series["x"] == [row["step"] for row in ends]
    assert series["y"] == pytest.approx([row["loss"] for row in ends], rel=1e-7)
    assert series["within"]["x"] == [5, 15, 25]
    shown = sum(len(chart["series"]) for chart in charts)
    assert shown == len(rows()[0]) - 2  # All but step and epoch.


def test_losses_and_accuracies_share_a_chart_each(run):
    wider = [{**row, "probe_loss": 1.0, "knn_accuracy": 0.3} for row in run.rows]
    charts = curves([dataclasses.replace(run, rows=wider)])
    assert len(chart_of(charts, "Loss")["series"]) == 2
    accuracy = chart_of(charts, "Accuracy")
    assert len(accuracy["series"]) == 2
    assert accuracy["share"]
    assert not accuracy["log"]


def test_runs_share_an_axis_for_each_figure(run):
    other = dataclasses.replace(run, name="other")
    charts = curves([run, other])
    assert [s["name"] for s in chart_of(charts, "loss")["series"]] == ["run", "other"]
    assert [s["run"] for s in chart_of(charts, "loss")["series"]] == [0, 1]


def test_a_logarithmic_scale_is_chosen_where_values_span_decades(run):
    steep = [{**row, "loss": 10.0 ** -row["epoch"] * 1e3} for row in run.rows]
    assert chart_of(curves([dataclasses.replace(run, rows=steep)]), "Loss")["log"]
    assert not chart_of(curves([run]), "Loss")["log"]


def test_what_is_no_number_is_left_out(run):
    broken = [*run.rows, {"step": 40, "epoch": 4, "loss": math.nan, "odd": "text"}]
    charts = curves([dataclasses.replace(run, rows=broken)])
    assert chart_of(charts, "Loss")["series"][0]["x"] == [10, 20, 30]
    assert not [chart for chart in charts if chart["title"] == "odd"]


def test_floors_are_lines_of_the_accuracies(run):
    measured = [{**row, "knn_accuracy": 0.4} for row in run.rows]
    floors = {"start": {"knn_accuracy": 0.2, "alignment": 0.1}, "pixels": {}}
    with_floors = dataclasses.replace(run, rows=measured, floors=floors)
    found = chart_of(curves([with_floors]), "Accuracy")["floors"]
    assert found == [{"name": "kNN accuracy before training", "y": 0.2}]


def test_thinning_keeps_extremes_and_both_ends():
    points = [(step, None, math.sin(step / 50)) for step in range(10_000)]
    points[1234] = (1234, None, 7.0)
    points[4321] = (4321, None, -7.0)
    kept = thinned(points, 200)
    assert len(kept) <= 200
    assert {points[0], points[1234], points[4321], points[-1]} <= set(kept)
    assert kept == sorted(kept)
    assert thinned(points[:150], 200) == points[:150]


@pytest.mark.parametrize(
    ("figure", "group"),
    [
        ("rotation_loss", LOSSES),
        ("knn_accuracy", ACCURACIES),
        ("mine", "Other figures"),
    ],
)
def test_a_figure_finds_its_group(figure, group):
    assert group_of(figure) == group
