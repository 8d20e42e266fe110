"""Each file gives back what was written, by the lines that its module states."""

import csv
import json
import re
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import Source
from simclr_tf.data.npz_file import NpzFile
from simclr_tf.embeddings import FORMATS, Part, Parts, Table, tfrecord_table, writer_for
from simclr_tf.errors import UserError

WIDTH = 5
CLASSES = ["a, or b", "ä", "none"]
PATHS = [f"folder/{place}.jpg" for place in range(20)]
PATHS[7] = 'x/with "quotes", commas\nand lines.png'
PATHS[9] = b"x/\xff.png".decode("utf-8", "surrogateescape")
BAD = [4, 19]
INDEX = np.array([place for place in range(20) if place not in BAD])


@pytest.fixture(scope="module")
def features():
    generator = np.random.default_rng(0)
    values = generator.normal(size=[20, WIDTH]) * 10.0 ** generator.integers(
        -30, 30, [20, WIDTH]
    )
    return values.astype(np.float32)


def make_table(folder, features, *, known=True):
    """Of two parts; two images cannot be read, and one has no label."""
    about = {"num_classes": 3, "class_names": CLASSES, "paths": PATHS} if known else {}
    source = Source(
        spec="test", split="train", image_shape=(8, 8, 3), num_examples=20, **about
    )
    labels = np.arange(20) % 3
    labels[6] = -1
    parts = Parts(str(folder))
    for first, end in ((0, 11), (11, 20)):
        bad = np.array([place for place in BAD if first <= place < end], np.int64)
        own = labels[first:end] if known else None
        parts.append(Part(first, features[first:end], own, bad))
    return Table(source, parts)


def wanted_labels():
    labels = np.arange(20) % 3
    labels[6] = -1
    return labels[INDEX]


def wanted_classes():
    return [(*CLASSES, "")[label] for label in wanted_labels()]


@pytest.fixture(params=sorted(FORMATS))
def written(request, tmp_path, features):
    """A file of each kind, and what it holds by the reader below."""
    path = tmp_path / f"features{request.param}"

    def write(known=True):
        table = make_table(tmp_path / f"parts{known}", features, known=known)
        writer_for(str(path))(table, str(path))
        return READERS[request.param](path)

    return write


def read_npz(path):
    with np.load(path) as arrays:
        found = dict(arrays)
    # The package's own reader is stricter than NumPy.
    with NpzFile(str(path)) as opened:
        for name in opened.names.values():
            np.testing.assert_array_equal(opened.array(name), found[name])
    names = {"indices": "index", "labels": "label", "paths": "path"}
    read = {names.get(name, name): array for name, array in found.items()}
    if "classes" in read:
        assert read.pop("classes").tolist() == CLASSES
        read["class"] = [(*CLASSES, "")[label] for label in read["label"]]
    return read


def read_csv(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    read = {"features": np.array([columns.pop(f"f{i}") for i in range(WIDTH)]).T}
    read["features"] = read["features"].astype(np.float32)
    for name in ("index", "label"):
        if name in columns:
            columns[name] = np.array(columns[name], np.int64)
    return {**read, **columns}


def read_parquet(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    read = table.to_pydict()
    assert table.schema.field("features").type.list_size == WIDTH
    if "class" in read:
        assert json.loads(table.schema.metadata[b"classes"]) == CLASSES
        # Parquet holds UTF-8 alone.
        read["path"] = [PATHS[9] if p == r"x/\xff.png" else p for p in read["path"]]
    return {**read, "features": np.array(read["features"], np.float32)}


def read_tfrecord(path):
    names = {"features": tf.io.FixedLenFeature([WIDTH], tf.float32)}
    names |= {n: tf.io.FixedLenFeature([], tf.int64, -9) for n in ("index", "label")}
    names |= {n: tf.io.FixedLenFeature([], tf.string, "no") for n in ("path", "class")}
    # As the module's own lines read it.
    code = re.search(r"\n\n(    features = .*?)\n\n", tfrecord_table.__doc__, re.S)[1]
    code = textwrap.dedent(code).replace("features.tfrecord", str(path))
    code = re.sub(r"features = \{.*?\n", "", code)
    scope = {"tf": tf, "features": names}
    exec(code, scope)
    batches = list(scope["rows"])
    read = {n: np.concatenate([b[n].numpy() for b in batches]) for n in names}
    for name in ("path", "class"):
        read[name] = [v.decode("utf-8", "surrogateescape") for v in read[name]]
    unknown = {"label": -9, "path": "no", "class": "no"}
    return {n: v for n, v in read.items() if n == "features" or v[0] != unknown.get(n)}


READERS = {
    ".npz": read_npz,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".tfrecord": read_tfrecord,
}


def test_it_gives_back_all_that_is_known(written, features):
    read = written()
    assert read["features"].dtype == np.float32
    np.testing.assert_array_equal(read["features"], features[INDEX])  # To the bit.
    np.testing.assert_array_equal(read["index"], INDEX)
    np.testing.assert_array_equal(read["label"], wanted_labels())
    assert list(read["class"]) == wanted_classes()
    assert list(read["path"]) == [PATHS[place] for place in INDEX]


def test_what_is_not_known_is_not_there(written, features):
    read = written(known=False)
    assert set(read) == {"features", "index"}
    np.testing.assert_array_equal(read["features"], features[INDEX])


def test_an_ending_says_which_and_others_are_refused():
    assert writer_for("A.CSV") is FORMATS[".csv"]
    for path in ("features.txt", "features", "npz"):
        with pytest.raises(UserError, match=r"\.npz, \.parquet, \.csv, \.tfrecord"):
            writer_for(path)


def test_without_pyarrow_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'simclr-tf\[parquet\]'"):
        writer_for("features.parquet")
