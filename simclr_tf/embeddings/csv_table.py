"""A table as a .csv file, in UTF-8 with a line of names.

    frame = pandas.read_csv("features.csv")
    features = frame.filter(regex=r"^f\\d+$").to_numpy("float32")

Columns `path`, `index`, `label` and `class`, as far as they are known, then `f0`, `f1`
and so on. Numbers have the nine digits that give each float32 back to the bit.
"""

from __future__ import annotations

import csv
import io

from simclr_tf.embeddings.sink import Sink
from simclr_tf.embeddings.table import Block, Table


def write_csv(table: Table, path: str) -> None:
    """Writes a table; memory holds a block of it.

    Args:
      table: the rows.
      path: of the new file, local or remote.
    """
    columns = [*table.columns(), *(f"f{place}" for place in range(table.width))]
    numbers = ",".join(["%.9g"] * table.width) + "\n"
    with Sink(path) as sink:
        sink.write((",".join(columns) + "\n").encode())
        for block in table.blocks():
            starts = _starts(block)
            rows = block.features.tolist()
            text = "".join(
                f"{start},{numbers % tuple(row)}" for start, row in zip(starts, rows)
            )
            # A file's name may be no UTF-8: its bytes stay as they are.
            sink.write(text.encode("utf-8", "surrogateescape"))


def _starts(block: Block) -> list[str]:
    """Each row's text before the numbers, quoted where it has to be."""
    known = (block.paths, block.index, block.labels, block.classes)
    starts = []
    for fields in zip(*(column for column in known if column is not None)):
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(fields)
        starts.append(text.getvalue())
    return starts
