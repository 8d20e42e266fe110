"""A run folder repeats its run and refuses another's."""

import dataclasses

import pytest

from simclr_tf.training import Recipe, RunFolder, RunFolderError
from simclr_tf.training.run_folder import from_flagfile, to_flagfile

RECIPE = Recipe(
    dataset="folder:my photos",
    labels=False,
    blur=True,
    early_share=0.5,
    learning_rate=1e-5,
    epochs=7,
    image_size=48,
)


@pytest.mark.parametrize("recipe", [Recipe(), RECIPE, RECIPE.resolved()])
def test_a_flagfile_gives_the_recipe_back(recipe):
    assert from_flagfile(to_flagfile(recipe), "flags.txt") == recipe


def test_every_setting_survives_the_flagfile():
    """Each field away from its default, in turn."""
    other = {int: 3, float: 0.25, bool: None, str: "text"}
    resolved = Recipe(test_dataset="shapes", head_hidden_dim=9).resolved()
    for field in dataclasses.fields(Recipe):
        value = getattr(resolved, field.name)
        changed = not value if isinstance(value, bool) else other[type(value)]
        recipe = dataclasses.replace(Recipe(), **{field.name: changed})
        assert from_flagfile(to_flagfile(recipe), "flags.txt") == recipe, field.name


def test_an_unreadable_flagfile_names_the_line():
    with pytest.raises(RunFolderError, match=r"flags.txt: cannot read .*--epoch=3"):
        from_flagfile("--epoch=3\n", "flags.txt")


def test_start_again_with_the_same_settings_is_welcome(tmp_path):
    run = RunFolder(str(tmp_path / "run"))
    assert not run.is_run()
    run.start(RECIPE)
    run.start(RECIPE)
    assert run.recipe() == RECIPE


def test_other_settings_are_refused_by_name(tmp_path):
    run = RunFolder(str(tmp_path / "run"))
    run.start(RECIPE)
    with pytest.raises(RunFolderError, match="epochs was 7 and is 8"):
        run.start(dataclasses.replace(RECIPE, epochs=8))


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError, match="not empty and holds no run"):
        RunFolder(str(tmp_path)).start(RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_without_run_or_checkpoint_says_so(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        RunFolder(str(tmp_path)).recipe()
    run = RunFolder(str(tmp_path / "run"))
    run.start(RECIPE)
    with pytest.raises(RunFolderError, match="no checkpoint yet"):
        run.load_model()


def test_metrics_after_a_step_can_be_dropped(tmp_path):
    run = RunFolder(str(tmp_path))
    assert run.read_metrics() == []
    rows = [{"step": 10 * n, "epoch": n, "loss": 1.0 / n} for n in (1, 2, 3)]
    for row in rows:
        run.append_metrics(row)
    run.keep_metrics_until(20)
    assert run.read_metrics() == rows[:2]
