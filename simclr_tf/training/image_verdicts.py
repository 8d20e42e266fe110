"""What a run knows of images that cannot be read, kept in its folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from simclr_tf.data import PretrainingData, Source


@contextlib.contextmanager
def keeping_verdicts(
    data: PretrainingData, folder: str, write: bool, check_images: bool
) -> Iterator[None]:
    """Remembers bad files from one start of a run to the next.

    Args:
      data: the run's images.
      folder: the run's, in which `images_train.jsonl` and the like are kept.
      write: whether this process writes them; all workers read them.
      check_images: decode every file first.

    Raises:
      DataError: where more than a tenth of the files cannot be read.
    """
    sources = [data.train, data.bank, data.queries]
    known = {id(v): v for v in (s.verdicts for s in sources if s is not None) if v}
    for verdicts in known.values():
        verdicts.keep_in(os.path.join(folder, verdicts.file_name), write=write)
        if check_images:
            verdicts.check_all()
    try:
        yield
    finally:
        for verdicts in known.values():
            verdicts.close()


def recall_verdicts(source: Source, folder: str) -> None:
    """Takes over what a run knows of a source's files."""
    if source.verdicts is not None:
        path = os.path.join(folder, source.verdicts.file_name)
        source.verdicts.keep_in(path, write=False)
