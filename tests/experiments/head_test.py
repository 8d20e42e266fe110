"""What a head makes of representations: a row for `h` and for each layer."""

import pytest

from experiments.head import run
from simclr_tf.training import Recipe, RunFolder, pretrain
from tests import tiny

_RECIPE = Recipe(
    dataset="shapes:60",
    image_size=16,
    encoder=tiny.NAME,
    head_layers=2,
    head_out_dim=8,
    batch_size=20,
    epochs=1,
    early_share=0.0,
    eval="",
    precision="float32",
)


@pytest.mark.exhaustive
def test_h_and_each_layer_are_measured(tmp_path, capsys):
    """Of first weights: a folder with settings is enough."""
    folder = RunFolder(str(tmp_path / "run"))
    folder.start(_RECIPE.resolve(16, images=60))
    run.main([folder.path, "--random"])
    header, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [(cell[1], int(cell[2])) for cell in cells] == [
        ("h", tiny.FEATURES),
        ("layer 1", tiny.FEATURES),
        ("layer 2", 8),
    ]
    for cell in cells:
        assert 0.0 <= float(cell[3]) <= 1.0
        assert 1 <= int(cell[5]) <= int(cell[2])
    assert header.count("|") == rows[0].count("|")


@pytest.mark.exhaustive
def test_the_newest_weights_are_measured(tmp_path):
    pretrain(_RECIPE, str(tmp_path / "run"), say=lambda line: None)
    trained = run.rows(str(tmp_path / "run"))
    assert len(trained) == 3
    assert trained != run.rows(str(tmp_path / "run"), random=True)
