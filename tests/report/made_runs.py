"""Run folders like those of `simclr pretrain`, made without a step of training."""

from __future__ import annotations

import json
import math
import pathlib

from simclr_tf.training import Recipe, RunFolder, build_model
from simclr_tf.training.build import build_optimizer
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.flagfile import to_flagfile
from tests import tiny


def rows(epochs: int = 3) -> list[dict]:
    """Rows of metrics.jsonl: two an epoch."""
    made = []
    for half in range(1, 2 * epochs + 1):
        epoch = half // 2 if half % 2 == 0 else half / 2
        row = {"step": 5 * half, "epoch": epoch, "loss": 5 * math.exp(-half / 9)}
        row |= {"contrastive_accuracy": 0.16 * half, "learning_rate": 0.1 / half}
        made.append(row | {"images_per_second": 100.0 + half})
    return made


def write_figures(folder: pathlib.Path, **result) -> None:
    """metrics.jsonl and result.json in a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows())
    (folder / "metrics.jsonl").write_text(text)
    ended = {
        "steps": 30,
        "epochs": 3,
        "seconds": 12.5,
        "images_per_second": 99.5,
        "metrics": rows()[-1],
        "verdict": {
            "learned": True,
            "reasons": [],
            "lines": ["On 20 images:", "Verdict: learned."],
        },
        "encoder_parameters": 1234,
        "versions": {"simclr_tf": "0.1.0"},
        **result,
    }
    (folder / "result.json").write_text(json.dumps(ended))


def make_run(folder: pathlib.Path, dataset: str, channels: int = 3, **said) -> str:
    """A whole run folder of an encoder that has learned nothing; its path."""
    settings = {
        "encoder": tiny.NAME,
        "epochs": 3,
        "batch_size": 8,
        "head_layers": 1,
        "views": "crop|flip",
        "early_share": 0.0,
        "precision": "float32",
        **said,
    }
    recipe = Recipe(dataset=dataset, **settings).resolve(
        16, images=100, native_channels=channels
    )
    write_figures(folder)
    (folder / "flags.txt").write_text(to_flagfile(recipe))
    model = build_model(recipe)
    model.compile(build_optimizer(recipe, 10))
    Checkpoints(RunFolder(str(folder)).checkpoints, model).save(30, 12.5)
    return str(folder)
