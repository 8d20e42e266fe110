"""Which of a dataset's files a name in a user's list stands for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from simclr_tf.data.source import DataError


class NamedFiles:
    """Files that are found by their names, with folders or without.

    Args:
      files: their paths, local or remote.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._places = {file: place for place, file in enumerate(files)}
        self._root = _folder_of_all(files)
        self._by_name: dict[str, list[int]] = {}
        for place, file in enumerate(files):
            self._by_name.setdefault(os.path.basename(file), []).append(place)

    def place_of(self, name: str) -> int:
        """The place of the file that a name stands for; -1 where no file is called so.

        In this order it is the file with that path, the one with that path below the
        folder that holds all files, and the only one whose path ends in it: in its
        own name, and in all the folders that are said.

        Raises:
          DataError: where it could be several files, or files are called so and lie in
            other folders; the message goes on after the name.
        """
        alike = self._by_name.get(os.path.basename(name), [])
        below = os.path.normpath(name)
        for path in (name, below, self._root + below):
            if path in self._places:
                return self._places[path]
        absolute = [_absolute(self._files[place]) for place in alike]
        if _absolute(name) in absolute:
            return alike[absolute.index(_absolute(name))]
        ends = f"/{below.removeprefix('/')}"
        found = [place for place, path in zip(alike, absolute) if path.endswith(ends)]
        if len(found) > 1:
            raise DataError(
                f"which is the name of {len(found):,} images, such as "
                f"{self._files[found[0]]} and {self._files[found[1]]}: name them with "
                "their folders."
            )
        if alike and not found:
            more = f", one of {len(alike):,} images" if len(alike) > 1 else ""
            raise DataError(
                f"and the image of that name lies in another folder: "
                f"{self._files[alike[0]]}{more}."
            )
        return found[0] if found else -1


def _folder_of_all(files: Sequence[str]) -> str:
    """The innermost folder that holds all files, with a separator; "" for none."""
    folders = [file.split("/")[:-1] for file in files]
    pairs = zip(min(folders), max(folders))
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    return "".join(f"{part}/" for part, _ in shared)


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)
