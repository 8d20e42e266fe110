"""Two workers whose run folders are not one folder refuse to train two runs."""

import numpy as np
import pytest

from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder, pretrain
from tests import tiny

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replicas of workers")]


def _refused(strategy, recipe, runs):
    """What a worker says, and its error's message, with a run folder of its own."""
    place, lines = Crew(strategy).task[1], []
    with pytest.raises(UserError) as error:
        pretrain(recipe, str(runs[place]), strategy=strategy, say=lines.append)
    return "\n".join(lines), str(error.value)


def test_workers_that_resume_from_different_steps_say_so_and_end(workers, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [16, 16, 16, 3], np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    recipe = Recipe(
        dataset=f"npz:{tmp_path / 'images.npz'}",
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        eval="",
        augment_on="device",
        batch_size=16,
        epochs=1,
        early_share=0.0,
        precision="float32",
    )
    trained, other = tmp_path / "trained", tmp_path / "other"
    pretrain(recipe, str(trained), say=lambda line: None)
    before = RunFolder(str(trained)).read_result()

    answers = workers(_refused, recipe=recipe, runs=(trained, other))
    for number, (said, line) in enumerate(answers):
        told = f"steps done (worker 1 differs from worker 0; here {1 - number})"
        assert told in line
        assert "--run must be one folder" in line
        assert "saved" not in said + line
    assert RunFolder(str(trained)).read_result() == before
    assert not (other / "result.json").exists()
