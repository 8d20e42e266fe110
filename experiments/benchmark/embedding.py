"""What `simclr embed` costs beside the bare encoder: CPU seconds and memory.

.venv/bin/python experiments/benchmark/embedding.py --folder=/tmp/embedding

Writes so many records of 32 px images. A fifth of them are encoded in one process, with
nothing kept and into each kind of file, in turns; CPU seconds are those of all threads,
which other work on the machine disturbs least. Memory is the peak of `simclr embed` in
a process of its own, for a fifth of the records and for all. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf

import simclr_tf
from simclr_tf.data import evaluation_batches, load
from simclr_tf.embeddings import FORMATS, Parts, Table, embed_source
from simclr_tf.evaluation.features import encode_batches

_SIDE, _BATCH = 32, 256


def write_records(path: str, count: int) -> None:
    """So many labelled images, smoothed noise, as serialized tensors."""
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, [1000, 4, 4, 3])
    images = tf.image.resize(coarse, [_SIDE, _SIDE], "bicubic").numpy()
    images = np.clip(images, 0, 255).astype(np.uint8)
    contents = [tf.io.serialize_tensor(image).numpy() for image in images]
    with tf.io.TFRecordWriter(path) as writer:
        for place in range(count):
            example = tf.train.Example()
            feature = example.features.feature
            feature["image"].bytes_list.value.append(contents[place % len(contents)])
            feature["label"].int64_list.value.append(place % 10)
            writer.write(example.SerializeToString())


def seconds_of(encoder: tf.keras.Model, records: str, folder: str, kind: str) -> float:
    """CPU seconds to encode records, and to write them to a file; "" writes none."""
    source = load(f"tfrecord:{records}", "train", image_size=_SIDE)
    began = time.process_time()
    if not kind:
        batches = evaluation_batches(source, batch_size=_BATCH, image_size=_SIDE)
        for _ in encode_batches(encoder, batches):
            pass
        return time.process_time() - began
    parts = Parts(os.path.join(folder, f"parts{kind}"))
    embed_source(encoder, source, parts, image_size=_SIDE, batch_size=_BATCH)
    FORMATS[kind](Table(source, parts), os.path.join(folder, f"features{kind}"))
    seconds = time.process_time() - began
    parts.remove()
    return seconds


def peak_mebibytes(records: str, name: str, output: str) -> float:
    """The peak of the memory of `simclr embed`."""
    command = [sys.executable, "-m", "simclr_tf", "embed", "--random"]
    command += [f"--encoder={name}", f"--image_size={_SIDE}", f"--output={output}"]
    command += [f"--dataset=tfrecord:{records}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 2**10


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="for records and files")
    parser.add_argument("--count", type=int, default=200_000, help="records")
    parser.add_argument("--encoder", default="resnet18x0.25", help="its name")
    flags = parser.parse_args()
    os.makedirs(flags.folder, exist_ok=True)
    counts = (flags.count // 5, flags.count)
    few, all_of_them = (
        os.path.join(flags.folder, f"records{count}.tfrecord") for count in counts
    )
    write_records(few, counts[0])
    write_records(all_of_them, counts[1])
    encoder = simclr_tf.make_encoder(flags.encoder, image_size=_SIDE)
    encoder(tf.zeros([1, _SIDE, _SIDE, 3]))
    seconds_of(encoder, few, flags.folder, "")  # Compiles.
    bare, taken, megabytes = [], {}, {}
    for kind in FORMATS:
        bare.append(seconds_of(encoder, few, flags.folder, ""))
        taken[kind] = seconds_of(encoder, few, flags.folder, kind)
        output = os.path.join(flags.folder, f"features{kind}")
        megabytes[kind] = os.path.getsize(output) / 1e6
    bare.append(seconds_of(encoder, few, flags.folder, ""))
    turns = ", ".join(f"{seconds:.1f}" for seconds in bare)
    print(f"{flags.encoder} bare, {counts[0]:,} images, CPU seconds: {turns}\n")
    head = ["file", "MB", "CPU s", "speed beside bare"]
    head += [f"peak MiB, {count:,} images" for count in counts]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for place, kind in enumerate(FORMATS):
        beside = (bare[place] + bare[place + 1]) / 2
        output = os.path.join(flags.folder, f"memory{kind}")
        peaks = [
            peak_mebibytes(records, flags.encoder, output)
            for records in (few, all_of_them)
        ]
        print(
            f"| {kind} | {megabytes[kind]:,.0f} | {taken[kind]:,.1f} "
            f"| {beside / taken[kind]:.1%} | {peaks[0]:,.0f} | {peaks[1]:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
