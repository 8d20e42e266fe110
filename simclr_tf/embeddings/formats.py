"""Which files a table can be written to, by their endings."""

from __future__ import annotations

import os
from collections.abc import Callable

from simclr_tf.embeddings.csv_table import write_csv
from simclr_tf.embeddings.npz_table import write_npz
from simclr_tf.embeddings.parquet_table import require_pyarrow, write_parquet
from simclr_tf.embeddings.table import Table
from simclr_tf.embeddings.tfrecord_table import write_tfrecord
from simclr_tf.errors import UserError

Write = Callable[[Table, str], None]

FORMATS: dict[str, Write] = {
    ".npz": write_npz,
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".tfrecord": write_tfrecord,
}


def writer_for(path: str) -> Write:
    """The function that writes a table to a file of this name.

    Raises:
      UserError: where its ending is none of `FORMATS`, or a package is missing.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        raise UserError(f"{path} must end in one of {', '.join(FORMATS)}.")
    if ending == ".parquet":
        require_pyarrow()
    return FORMATS[ending]
