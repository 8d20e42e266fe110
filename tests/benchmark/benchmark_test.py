"""The benchmark measures in turns and says what and where."""

import json

import pytest
import tensorflow as tf

from simclr_tf.benchmark import benchmark, jpeg_files, pretraining, views
from simclr_tf.benchmark.loss import measure_losses
from simclr_tf.benchmark.memory import measure_memory
from simclr_tf.benchmark.timing import Contender, measure
from simclr_tf.cli.main import main
from simclr_tf.data import load


def test_contenders_run_in_turns_and_the_first_round_does_not_count():
    begun, ran = [], []

    def contender(who):
        def begin():
            begun.append(who)
            return lambda: ran.append(who)

        return Contender(who, begin, 8)

    made = measure("job", [contender("a"), contender("b")], repeats=3)
    assert begun == ran == ["a", "b"] * 4
    assert [row.who for row in made] == ["a", "b"]
    for row in made:
        assert row.images_per_second == pytest.approx(8 / row.seconds)


@pytest.mark.exhaustive
def test_losses_are_measured_each_in_a_process_of_its_own():
    ((*ours, published),) = measure_losses(repeats=2, views=[8192])
    assert published.who == "published form"
    for row in ours:
        assert row.job == published.job == "8,192 views"
        assert row.seconds > 0
        # Of the matrix, 0.25 GiB, the published form holds several.
        assert 0.01 < row.peak_gib < 0.2 < published.peak_gib < 4


@pytest.mark.exhaustive
def test_views_of_ones_own_images_are_measured(photos, tmp_path, monkeypatch):
    job = views._Job(32, 32, False, 16, 2)
    monkeypatch.setattr(views, "_JOBS", {"32 px": job})
    monkeypatch.setattr(views, "_BLUR", job)
    monkeypatch.setattr(jpeg_files, "_BATCHES", {32: 2, 224: 2})
    said = []
    dataset = f"folder:{photos}"
    parts = ["views", "jpeg_files"]
    output = str(tmp_path / "figures.json")
    told = benchmark(parts, dataset=dataset, repeats=1, output=output, say=said.append)
    read = json.loads((tmp_path / "figures.json").read_text())
    assert read == told
    assert "TensorFlow" in read["machine"]["tensorflow"]
    jobs = [row["job"] for row in read["measured"] if row["part"] == "jpeg_files"]
    assert [job.partition(" from ")[0] for job in jobs] == ["32 px"] * 3 + [
        "224 px"
    ] * 3
    assert len(read["measured"]) == 4 + 4 + 2 * 3
    assert min(row["images_per_second"] for row in read["measured"]) > 0
    assert any("stock keras-cv layers" in line for line in said)


@pytest.mark.exhaustive
def test_a_step_in_pieces_is_measured_beside_a_whole_one():
    ((whole, pieces),) = measure_memory(1, ["all at once", "micro_batches=4"], 64)
    assert whole.who == "all at once"
    assert 0 < pieces.peak_gib < whole.peak_gib
    assert whole.images_per_second > 0


@pytest.mark.exhaustive
def test_a_pretraining_is_measured_beside_a_bare_step(monkeypatch):
    monkeypatch.setattr(pretraining, "_STEPS", 2)
    monkeypatch.setattr(pretraining, "precisions", lambda: ("float32",))
    source = load("shapes:200", image_size=32)
    ((ours, bare),) = pretraining.measure_pretraining(source, repeats=1)
    assert (ours.who, bare.who) == ("simclr pretrain", "bare Keras step")
    assert min(ours.images_per_second, bare.images_per_second) > 0


def test_a_png_by_the_name_of_a_jpeg_is_passed_over(photos, tmp_path):
    image = tf.io.decode_jpeg(next(photos.glob("train/*/*.jpg")).read_bytes())
    folder = tmp_path / "images"
    for place in range(3):
        encode = tf.io.encode_png if place == 1 else tf.io.encode_jpeg
        tf.io.write_file(str(folder / f"{place}.jpg"), encode(image))
    source = load(f"folder:{folder}", labels=False)
    assert jpeg_files._put_files(source, str(tmp_path)) == "2 JPEG files"


def test_no_repeats_measure_nothing():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        benchmark(["loss"], repeats=0)


def test_an_unknown_part_is_named(capsys, tmp_path):
    assert main(["benchmark", "--parts=flops", f"--output={tmp_path / 'x'}"]) == 2
    assert "no part 'flops'" in capsys.readouterr().err
    assert main(["benchmark", "--parts=", f"--output={tmp_path / 'x'}"]) == 2
    assert "at least one part" in capsys.readouterr().err


def test_where_it_cannot_write_it_does_not_measure(capsys, tmp_path):
    output = tmp_path / "nowhere" / "x.json"
    assert main(["benchmark", "--parts=loss", f"--output={output}"]) == 2
    captured = capsys.readouterr()
    assert "nowhere" in captured.err
    assert "views" not in captured.out
