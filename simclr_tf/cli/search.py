"""`simclr search`: images like a query, and images that occur more than once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from absl import flags

from simclr_tf import whole_files
from simclr_tf.cache_folder import cache_folder
from simclr_tf.cli import embedded, encoder_flags, output
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.cli.search_output import DuplicatesFound, NeighboursFound, Shown
from simclr_tf.data import NOTATION, Source, load
from simclr_tf.data.batches import spread
from simclr_tf.embeddings import Parts, Table
from simclr_tf.evaluation import encode
from simclr_tf.messages import say
from simclr_tf.pictures import save_figure
from simclr_tf.progress import Progress
from simclr_tf.search import (
    SHARE,
    copy_similarities,
    find_duplicates,
    images_at,
    images_of_files,
    nearest,
    threshold_of,
    unit_rows,
)
from simclr_tf.search.threshold import SAMPLE
from simclr_tf.training.stop_signal import StopSignal


def _define(values: flags.FlagValues) -> None:
    encoder_flags.define(values)
    flags.DEFINE_string(
        "dataset",
        None,
        f"images to search: {NOTATION}; the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_string("split", "train", "split of the dataset", flag_values=values)
    flags.DEFINE_multi_string(
        "query", [], "image file to search for; may be repeated", flag_values=values
    )
    flags.DEFINE_multi_integer(
        "query_index",
        [],
        "image of the dataset to search for, by its place from 0; may be repeated",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "k", 10, "neighbours of each query", lower_bound=1, flag_values=values
    )
    flags.DEFINE_boolean(
        "duplicates",
        False,
        "list images that occur more than once, as they are or nearly so",
        flag_values=values,
    )
    flags.DEFINE_float(
        "threshold",
        None,
        "cosine from which on --duplicates takes images for the same; by default what "
        "95 % of altered copies of the dataset's images reach",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        "search.png",
        "picture to write, or .json with all that was found",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "cache",
        True,
        "keep the features in the run folder (without --run, in the folder that "
        "SIMCLR_TF_CACHE names or ~/.cache/simclr_tf) for the next search",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    _require_sense(values)
    loaded = encoder_flags.load(values)
    dataset = values.dataset or loaded.dataset
    if dataset is None:
        raise UsageError("Name the images with --dataset.")
    source = load(
        dataset, values.split, image_size=loaded.loaded_size, form=loaded.form
    )
    for place in values.query_index:
        if not 0 <= place < len(source):
            raise UsageError(
                f"--query_index={place} is none of the dataset's images, 0 to "
                f"{len(source) - 1:,}."
            )
    queries = None
    if values.query:
        queries = images_of_files(values.query, loaded.image_size, loaded.form)
    say(str(source))
    with _embedded(values, loaded, source) as table:
        if values.duplicates:
            found: Shown = _duplicates(values, loaded, source, table)
        else:
            found = _neighbours(values, loaded, source, table, queries)
    for line in found.lines():
        say(line)
    if values.output.lower().endswith(".json"):
        text = json.dumps(found.to_dict(), indent=2) + "\n"
        output.write(values.output, text.encode("utf-8", "backslashreplace"))
    elif found.is_empty:
        return
    else:
        picture = found.draw()
        save_figure(picture, values.output)
    say(f"Written to {values.output}.")


def _require_sense(values: flags.FlagValues) -> None:
    """Raises UsageError where the flags do not say what to do."""
    output.require_ending(values.output, [".png", ".json"])
    asked = bool(values.query or values.query_index)
    if asked == values.duplicates:
        raise UsageError(
            "Say what to search for: --query=IMAGE (or --query_index=PLACE), or "
            "--duplicates."
        )
    if values.threshold is not None and not values.duplicates:
        raise UsageError("--threshold is for --duplicates; --k limits neighbours.")
    if values.threshold is not None and not 0.0 < values.threshold <= 1.0:
        raise UsageError(
            f"--threshold must be above 0 and at most 1, got {values.threshold}."
        )


@contextlib.contextmanager
def _embedded(
    values: flags.FlagValues, loaded: encoder_flags.Loaded, source: Source
) -> Iterator[Table]:
    """The dataset's features, kept or made now."""
    of_all = embedded.digest(values, loaded, source)
    # Of a source that says nothing of its images nobody can tell that they changed.
    keep = values.cache and any(True for _ in source.identity())
    with contextlib.ExitStack() as stack:
        if keep:
            parent = cache_folder()
            if values.run:
                parent = os.path.join(values.run, "embeddings")
            parts = Parts(embedded.folder_of(parent, _name(values, source), of_all))
        else:
            parent = stack.enter_context(tempfile.TemporaryDirectory())
            parts = Parts(os.path.join(parent, "parts"))
        if parts.count == len(source):
            say(f"The features are those kept in {parts.folder}.")
        stop = stack.enter_context(StopSignal())
        try:
            embedded.fill(parts, loaded, source, values.batch_size, stop)
        except whole_files.WriteError as error:
            kept = embedded.kept(parts, len(source)) if keep else ""
            hint = f"{kept} " if kept else ""
            raise UsageError(f"{error} {hint}--nocache does without.") from error
        for folder in embedded.outdated(parts.folder) if keep else ():
            tf.io.gfile.rmtree(folder)
        table = Table(source, parts)
        embedded.say_left_out(len(table.bad), len(source))
        yield table


def _name(values: flags.FlagValues, source: Source) -> str:
    """Of the folders for one dataset, which replace each other as things change."""
    encoder = values.saved_model or values.published or values.encoder or ""
    # A run folder has its own, wherever it is moved to.
    about = [source.spec, source.split, encoder and os.path.abspath(encoder)]
    about += [str(values.random), str(values.image_size), str(values.precision)]
    name = hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape"))
    return f"embeddings-{name.hexdigest()[:12]}"


def _features(
    loaded: encoder_flags.Loaded, images: tf.Tensor, batch_size: int
) -> np.ndarray:
    dataset = tf.data.Dataset.from_tensor_slices({"image": images}).batch(batch_size)
    return encode(loaded.encoder, dataset)[0]


def _neighbours(
    values: flags.FlagValues,
    loaded: encoder_flags.Loaded,
    source: Source,
    table: Table,
    images: tf.Tensor | None,
) -> NeighboursFound:
    for place in values.query_index:
        if place in table.bad:
            raise UsageError(f"--query_index={place} is an image that cannot be read.")
    names = [*values.query, *(f"image {place}" for place in values.query_index)]
    own = [_place_of(path, source) for path in values.query] + list(values.query_index)
    every = [] if images is None else [images]
    if values.query_index:
        every.append(images_at(source, np.array(values.query_index), loaded.image_size))
    queries = _features(loaded, tf.concat(every, axis=0), values.batch_size)
    blocks = ((block.index, block.features) for block in table.blocks())
    # One more, for the query itself may be among them.
    found = nearest(blocks, queries, values.k + 1)
    neighbours = []
    for place, index, similarity in zip(own, found.index, found.similarity):
        others = np.flatnonzero(index != place)[: values.k]
        neighbours.append((index[others], similarity[others]))
    return NeighboursFound(
        source, names, tf.concat(every, axis=0).numpy(), neighbours, loaded.image_size
    )


def _place_of(path: str, source: Source) -> int:
    """The place of a file in the dataset; -1 where it is not there."""
    wanted = os.path.abspath(path)
    for place, other in enumerate(source.paths or ()):
        if os.path.basename(other) == os.path.basename(wanted) and (
            os.path.abspath(other) == wanted
        ):
            return place
    return -1


def _duplicates(
    values: flags.FlagValues,
    loaded: encoder_flags.Loaded,
    source: Source,
    table: Table,
) -> DuplicatesFound:
    threshold, why = values.threshold, "as --threshold says"
    if threshold is None:
        # Spread over the dataset, and read anew: features alone do not tell.
        part = spread(source, SAMPLE)
        images = images_at(part, np.arange(len(part)), loaded.image_size)
        similarities = copy_similarities(
            lambda copies: _features(loaded, copies, values.batch_size), images
        )
        threshold = threshold_of(similarities)
        why = (
            f"{SHARE:.0%} of altered copies of {len(part):,} images (JPEG of quality "
            "50, 2 % trimmed on each side, 5 % brighter) are at least as similar to "
            "their original; --threshold sets another"
        )
    blocks = list(_matrix(table))
    places = np.concatenate([index for index, _ in blocks])
    unit = np.concatenate([features for _, features in blocks])
    del blocks
    progress = Progress(len(unit), unit="images compared")

    def advance(done: int) -> None:
        if progress.due():
            progress.show(done)

    try:
        found = find_duplicates(source, places, unit, threshold, advance)
    finally:
        progress.clear()
    return DuplicatesFound(source, found, threshold, why, loaded.image_size)


def _matrix(table: Table) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for block in table.blocks():
        yield block.index, unit_rows(block.features)


WORK = Work(
    define=_define,
    run=_run,
    example="simclr search --run=runs/photos --query=photos/IMG_1.jpg --k=10",
)
