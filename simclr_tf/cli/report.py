"""`simclr report`: a page about a run, or about several side by side."""

from __future__ import annotations

import os

import tensorflow as tf
from absl import flags

from simclr_tf import whole_files
from simclr_tf.cli import output
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.messages import say
from simclr_tf.report import make_report
from simclr_tf.report.write import MOST_IMAGES

FILE_NAME = "report.html"
# Who waits for the end of a run waits no longer than this for images to be encoded.
_SECONDS_AT_END = 30.0


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_multi_string(
        "run",
        None,
        "run folder, once or more; words without dashes are run folders too",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "page to write; report.html in the run folder by default, of several runs in "
        "the folder where the command is called",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "images",
        600,
        "images of each run that are encoded for pictures at most; 0 for a page of "
        "curves and figures alone",
        lower_bound=0,
        upper_bound=MOST_IMAGES,
        flag_values=values,
    )
    flags.DEFINE_float(
        "seconds",
        60.0,
        "seconds for which images of each run are encoded at most",
        lower_bound=0,
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    runs = values.run
    if not runs:
        raise UsageError("Name a run folder: simclr report RUN [RUN …].")
    path = values.output
    if path is None:
        path = FILE_NAME if len(runs) > 1 else os.path.join(runs[0], FILE_NAME)
        if not tf.io.gfile.isdir(os.path.dirname(path) or "."):
            raise UsageError(f"{runs[0]} holds no run: it is no folder.")
    output.require_writable_file(path)
    output.require_ending(path, [".html", ".htm"])
    page = make_report(runs, images=values.images, seconds=values.seconds)
    output.write(path, encoded(page))
    say(f"The report is {path}.")


def write_at_end(run: str) -> None:
    """Writes the report of a run that has just ended into its folder.

    The run is done and saved: where the page cannot be made, that is said, and no more.
    """
    path = os.path.join(run, FILE_NAME)
    try:
        page = make_report([run], seconds=_SECONDS_AT_END)
        whole_files.replace_file(path, encoded(page))
    except Exception as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        say(f"The report could not be made: {line} The run itself is complete.")
        return
    say(f"The report is {path}.")


def encoded(page: str) -> bytes:
    """A page as UTF-8; what no file name may be in it is written as an escape."""
    return page.encode("utf-8", "backslashreplace")


WORK = Work(
    define=_define,
    run=_run,
    example="simclr report runs/photos --output=report.html",
    positional="run",
)
