"""Whether a run has learned: its floors, its end, and the verdict on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from simclr_tf.data import PretrainingData, data_errors
from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluators import Monitor
from simclr_tf.evaluators.floors import Floors, measure_floors, verdict_evaluators
from simclr_tf.evaluators.share import which_were_right
from simclr_tf.evaluators.verdict import Evidence, Verdict, give_verdict
from simclr_tf.model import Learner
from simclr_tf.progress import waiting
from simclr_tf.training import defaults, run_files
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder

# Where nothing is measured while it trains, nothing is for the verdict.
_UNMEASURED = Verdict(
    None,
    "",
    [],
    ["Verdict: whether it learned was not measured, since --eval is empty."],
)


def begin_judging(
    recipe: ResolvedRecipe,
    run: RunFolder,
    data: PretrainingData,
    model: Learner,
    monitor: Monitor,
    crew: Crew,
    steps_done: int,
    say: Callable[[str], None],
) -> Judge:
    """A run's judge; of one that begins now it measures the floors."""
    judge = Judge(recipe, run, data, model, monitor, crew.is_chief)
    if not steps_done:
        judge.measure_floors(say)
    return judge


class Judge:
    """Measures a run before its first step and after its last one.

    What it measures lies in the run folder at once, so that a run that is resumed does
    not measure it again.

    Args:
      recipe: all settings.
      run: the run folder.
      data: images.
      model: that learns.
      monitor: encodes a sample.
      writes: whether this worker writes the run folder.
    """

    def __init__(
        self,
        recipe: ResolvedRecipe,
        run: RunFolder,
        data: PretrainingData,
        model: Learner,
        monitor: Monitor,
        writes: bool,
    ) -> None:
        self._recipe = recipe
        self._run = run
        self._data = data
        self._model = model
        self._monitor = monitor
        self._writes = writes

    @property
    def floors(self) -> Floors | None:
        """Those of the run; None where they were not measured, or cannot be read."""
        try:
            found = self._read()
            if not found:
                return None
            return Floors.from_dict(found["floors"], found.get("right"))
        except (KeyError, TypeError, run_files.RunFolderError):
            return None

    def measure_floors(self, say: Callable[[str], None]) -> None:
        """Measures before the first step; all workers call this."""
        if not self._monitor.evaluators:
            return
        say("Measuring the encoder before it learns, to compare with.")
        chance = self._model.method.chance(
            self._recipe.batch_size, self._data.train.num_classes
        )
        data, nothing = self._data, contextlib.nullcontext()
        with (
            waiting("measuring") if self._writes else nothing,
            data_errors(data.train, data.bank, data.queries),
        ):
            floors = measure_floors(self._monitor, self._model, chance)
        self._write({"floors": floors.to_dict(), "right": floors.right})

    def measure_end(self) -> tuple[dict[str, float], list[str]]:
        """The run's own measurement, and what the verdict needs, of the same features.

        All workers call this.
        """
        monitor, also = self._monitor, verdict_evaluators()
        if not monitor.evaluators:
            return monitor.run(self._model)
        values, warnings = monitor.run(self._model, also)
        names = {name for each in also for name in each.measures}
        end = {name: value for name, value in values.items() if name in names}
        if self._writes:
            right = which_were_right(end)
            self._write({**(self._read() or {}), "end": end, "end_right": right})
        own = {name for each in monitor.evaluators for name in each.measures}
        return {n: v for n, v in values.items() if n in own}, warnings

    def verdict(self, rows: Sequence[Mapping[str, float]], steps: int) -> Verdict:
        """What became of the run.

        Args:
          rows: of metrics.jsonl, of the epochs' ends, oldest first.
          steps: of the run.
        """
        if not self._monitor.evaluators:
            return _UNMEASURED
        method, queries = self._model.method, self._data.queries
        found = self._read() or {}
        return give_verdict(
            Evidence(
                floors=self.floors,
                end=found.get("end", {}),
                end_right=found.get("end_right", {}),
                epoch=rows[-1] if rows else {},
                rows=rows,
                early_epochs=self._recipe.early_epochs,
                shown=method.shown,
                steps=steps,
                least_steps=defaults.LEAST_STEPS,
                compares_views=method.projects,
                seen=queries is None or self._recipe.pretrain_on_all,
            )
        )

    def _read(self) -> dict | None:
        return run_files.read_json(self._run.floors)

    def _write(self, values: dict) -> None:
        if self._writes:
            run_files.write_json(self._run.floors, values)
