"""A table as an .npz file, written array by array in blocks.

    arrays = numpy.load("features.npz")

`features`, float32 `[N, D]`; `indices`, int64 `[N]`, each image's place in the dataset;
`labels`, int64 `[N]`, -1 where an image has none; `classes`, the names that labels
stand for; `paths`, `[N]` file names. The last three are there where they are known.
`numpy.load` reads an array when it is asked for.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from simclr_tf.embeddings.sink import Sink
from simclr_tf.embeddings.table import Table

_STRINGS_AT_A_TIME = 2**14


def write_npz(table: Table, path: str) -> None:
    """Writes a table; memory holds a block of it, and its labels.

    Args:
      table: the rows.
      path: of the new file, local or remote.
    """
    labels, index = [], []
    with Sink(path) as sink, zipfile.ZipFile(sink, "w") as archive:
        # Features hardly shrink when they are deflated, and it takes longer than to
        # encode small images.
        shape = (table.count, table.width)
        with _member(archive, "features", shape, np.dtype("<f4")) as member:
            for block in table.blocks():
                member.write(np.ascontiguousarray(block.features, "<f4").data)
                index.append(block.index)
                if block.labels is not None:
                    labels.append(block.labels)
        places = np.concatenate(index) if index else np.zeros(0, np.int64)
        _write(archive, "indices", places)
        if table.has_labels:
            none = np.zeros(0, np.int64)
            _write(archive, "labels", np.concatenate([none, *labels]))
        if table.class_names is not None:
            _write(archive, "classes", np.array(table.class_names))
        if table.paths is not None:
            _write_paths(archive, table, places)


def _write_paths(archive: zipfile.ZipFile, table: Table, places: np.ndarray) -> None:
    paths = table.paths or ()
    longest = max((len(paths[place]) for place in places), default=1)
    kind = np.dtype(f"<U{max(longest, 1)}")
    with _member(archive, "paths", (len(places),), kind, zipfile.ZIP_DEFLATED) as out:
        for first in range(0, len(places), _STRINGS_AT_A_TIME):
            some = places[first : first + _STRINGS_AT_A_TIME]
            out.write(np.array([paths[place] for place in some], kind).tobytes())


def _write(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with _member(archive, name, array.shape, array.dtype) as member:
        member.write(np.ascontiguousarray(array).tobytes())


@contextlib.contextmanager
def _member(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    method: int = zipfile.ZIP_STORED,
) -> Iterator[IO[bytes]]:
    """A member of the archive that holds an array, to write its values to."""
    info = zipfile.ZipInfo(f"{name}.npy")
    info.compress_type = method
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with archive.open(info, "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        yield member
