"""NumPy, scikit-learn and faiss at `simclr search`'s work: CPU seconds and memory.

python -m venv .venv-search
.venv-search/bin/pip install scikit-learn==1.5.2 faiss-cpu==1.11.0
PYTHONPATH=. .venv-search/bin/python experiments/benchmark/search.py --rows=1000000

Rows are drawn with a spectrum that falls as that of trained encoders does (the n-th
axis has n to the -0.7), cut at 0 as ReLU does; a hundredth of them are a bit of noise
away from another row. Each job has a process of its own, in one thread, and memory is
its peak beyond the rows and queries. Duplicates by whole products are timed on a part
of the rows and multiplied.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np

_K, _THRESHOLD, _PART = 10, 0.95, 2000
_ROOM = pathlib.Path(__file__).resolve().parents[2] / "simclr_tf" / "search"


def _module(name: str) -> ModuleType:
    """A module of the package, without the package and its TensorFlow."""
    spec = importlib.util.spec_from_file_location(name, _ROOM / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def draw(count: int, width: int, seed: int) -> np.ndarray:
    """Features, float32 `[count, width]`."""
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(width, width)))[0]
    axes = (axes * np.arange(1, width + 1)[:, None] ** -0.7).astype(np.float32)
    rows = np.empty((count, width), np.float32)
    for first in range(0, count, 50_000):
        some = rows[first : first + 50_000]
        drawn = generator.standard_normal(some.shape, np.float32) @ axes
        some[:] = np.maximum(drawn, 0.0)
    copies = generator.permutation(count)[: count // 50 * 2].reshape(2, -1)
    noise = generator.standard_normal((len(copies[0]), width), np.float32)
    scale = rows[copies[0]].std(axis=1, keepdims=True)
    rows[copies[1]] = np.maximum(rows[copies[0]] + 0.1 * scale * noise, 0.0)
    return rows


def by_numpy(rows: np.ndarray, queries: np.ndarray) -> None:
    """`simclr_tf.search`."""
    blocks = [(np.arange(len(rows)), rows)]
    _module("neighbours").nearest(blocks, queries, _K)


def by_sklearn(rows: np.ndarray, queries: np.ndarray) -> None:
    """scikit-learn's brute force."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=_K, metric="cosine", algorithm="brute")
    found.fit(rows).kneighbors(queries)


def by_faiss(rows: np.ndarray, queries: np.ndarray) -> None:
    """faiss' exact index of products; rows have length 1 there."""
    import faiss

    unit = rows.copy()
    faiss.normalize_L2(unit)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(unit)
    del unit
    began = time.process_time()
    queries = queries.copy()
    faiss.normalize_L2(queries)
    index.search(queries, _K)
    print(f"(search alone {time.process_time() - began:.2f} s) ", end="")


def duplicates_by_numpy(rows: np.ndarray, _: np.ndarray) -> None:
    """`simclr_tf.search`, all pairs."""
    unit = _module("neighbours").unit_rows(rows)
    groups = _module("groups").similar_groups(unit, _THRESHOLD)
    print(f"({len(groups):,} groups) ", end="")


def duplicates_by_faiss(rows: np.ndarray, _: np.ndarray) -> None:
    """faiss' range search of a part of the rows among all."""
    import faiss

    unit = rows.copy()
    faiss.normalize_L2(unit)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(unit)
    began = time.process_time()
    index.range_search(unit[:_PART], _THRESHOLD)
    whole = (time.process_time() - began) * len(rows) / _PART
    print(f"(of all rows {whole:,.0f} s) ", end="")


def duplicates_by_sklearn(rows: np.ndarray, _: np.ndarray) -> None:
    """scikit-learn's radius search of a part of the rows among all."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(radius=1 - _THRESHOLD, metric="cosine", algorithm="brute")
    found.fit(rows)
    began = time.process_time()
    found.radius_neighbors(rows[:_PART])
    whole = (time.process_time() - began) * len(rows) / _PART
    print(f"(of all rows {whole:,.0f} s) ", end="")


JOBS: dict[str, tuple[Callable[[np.ndarray, np.ndarray], None], int]] = {
    f"{queries} queries, {work.__name__}": (work, queries)
    for queries in (1, 1000)
    for work in (by_numpy, by_sklearn, by_faiss)
} | {
    work.__name__: (work, 1)
    for work in (duplicates_by_sklearn, duplicates_by_faiss, duplicates_by_numpy)
}


def measure(name: str, rows: np.ndarray) -> None:
    """Runs a job in a process of its own, and prints a line."""
    print(f"{name}: ", end="", flush=True)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    work, count = JOBS[name]
    queries = draw(count, rows.shape[1], 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    work(rows, queries)
    seconds = time.process_time() - began
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"{seconds:.2f} s, {memory:.2f} GiB", flush=True)
    os._exit(0)


def main() -> None:
    """Runs all jobs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--jobs", default="", help="those with this in their names")
    flags = parser.parse_args()
    rows = draw(flags.rows, flags.width, 0)
    for name in JOBS:
        if flags.jobs in name:
            measure(name, rows)


if __name__ == "__main__":
    main()
