"""A table as a .parquet file, by pyarrow.

    frame = pandas.read_parquet("features.parquet")
    features = numpy.stack(frame["features"])

Columns `path` (string), `index` (int64), `label` (int64) and `class` (string), as far
as they are known, and `features`, lists of D float32. The schema's metadata has all
`classes` as a JSON list. A row group is a block, so that a reader may take one at a
time.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from simclr_tf.embeddings.sink import Sink
from simclr_tf.embeddings.table import Block, Table
from simclr_tf.errors import UserError


def require_pyarrow() -> None:
    """Raises UserError where pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UserError(
            ".parquet files need pyarrow: pip install 'simclr-tf[parquet]', or write "
            ".npz, .csv or .tfrecord."
        ) from error


def write_parquet(table: Table, path: str) -> None:
    """Writes a table; memory holds a block of it.

    Args:
      table: the rows.
      path: of the new file, local or remote.

    Raises:
      UserError: where pyarrow is missing.
    """
    require_pyarrow()
    import pyarrow
    import pyarrow.parquet

    kinds = {
        "path": pyarrow.string(),
        "index": pyarrow.int64(),
        "label": pyarrow.int64(),
        "class": pyarrow.string(),
    }
    features = pyarrow.list_(pyarrow.float32(), table.width)
    fields = [(name, kinds[name]) for name in table.columns()]
    metadata = None
    if table.class_names is not None:
        metadata = {"classes": json.dumps(table.class_names)}
    schema = pyarrow.schema([*fields, ("features", features)], metadata)
    # Dictionaries and compression are of use for text alone.
    text = [name for name in ("path", "class") if name in table.columns()]
    methods = {name: "snappy" if name in text else "none" for name, _ in fields}
    options: dict[str, Any] = {
        "use_dictionary": text,
        "compression": {**methods, "features.list.element": "none"},
    }
    write = pyarrow.parquet.ParquetWriter
    with Sink(path) as sink, write(sink, schema, **options) as writer:
        for block in table.blocks():
            values = np.ascontiguousarray(block.features, np.float32).reshape(-1)
            lists = pyarrow.FixedSizeListArray.from_arrays(values, table.width)
            arrays = [
                pyarrow.array(column, kinds[name])
                for name, column in _columns(block).items()
            ]
            writer.write_batch(
                pyarrow.RecordBatch.from_arrays([*arrays, lists], schema=schema)
            )


def _columns(block: Block) -> dict[str, Any]:
    columns = {
        "path": block.paths and [_utf8(path) for path in block.paths],
        "index": block.index,
        "label": block.labels,
        "class": block.classes,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _utf8(path: str) -> str:
    r"""A file's name; bytes of it that are no UTF-8, as `\xff`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
