"""A run passes over images that cannot be read, and remembers which they are."""

import json

import numpy as np
import pytest
from PIL import Image

from simclr_tf.data import folder
from simclr_tf.training import Recipe, pretrain
from tests import tiny


@pytest.mark.slow
def test_a_run_names_bad_images_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder, "LOOKED_AT", 2)
    generator = np.random.default_rng(0)
    for place in range(32):
        pixels = generator.integers(0, 256, [20, 20, 3], np.uint8)
        path = tmp_path / "photos" / "ab"[place % 2] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    bad = tmp_path / "photos" / "a" / "10.png"
    bad.write_bytes(bad.read_bytes()[:-300] + bytes(300))
    recipe = Recipe(
        dataset=f"folder:{tmp_path / 'photos'}",
        image_size=8,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        blur=False,
        batch_size=4,
        epochs=1,
        early_share=0.0,
        precision="float32",
        eval="",
    )
    said = []
    result = pretrain(recipe, str(tmp_path / "run"), say=said.append)
    assert result["steps"] == 6
    assert any("Classes: a, b; the subfolders of" in line for line in said)
    told = capsys.readouterr().err
    assert "10.png (" in told
    assert "another image takes its place" in told
    (line,) = (tmp_path / "run" / "images_train.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == str(bad)
