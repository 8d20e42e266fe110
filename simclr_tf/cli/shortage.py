"""What is said where a machine, or a service, has too little for a command."""

from __future__ import annotations

import re

from simclr_tf.errors import UserError

_DISK = ("No space left", "Disk quota exceeded")
_MEMORY = re.compile(r"OOM|out of memory|allocat|memory", re.IGNORECASE)


def shortage(error: BaseException) -> UserError | None:
    """What the machine is short of, and what to do; None where it is not that.

    Args:
      error: what a command raised and nothing nearer to it has explained.
    """
    text = " ".join(str(error).split())
    # By its name: TensorFlow may not be imported for this.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    # TensorFlow has one class for whatever there is too little of.
    exhausted = "ResourceExhaustedError" in kinds
    of_system = exhausted or isinstance(error, OSError)
    what = text.partition(" [[")[0].partition(" [Op:")[0][:200].rstrip(".")
    said = f": {what}" if what else ""
    if any(words in text for words in _DISK):
        name = getattr(error, "filename", None)
        return UserError(
            f"The disk is full{f' at {name}' if name else ''}: make room and start the "
            "same command again; a run, embed and search go on from what is saved. "
            "Temporary files go where TMPDIR says."
        )
    if of_system and "Too many open files" in text:
        return UserError(
            f"More files are open at once than the system allows{said}. ulimit -n "
            "65536, in the shell that starts the same command again, allows more."
        )
    if exhausted and "message larger than max" in text:
        return UserError(
            f"A message to another machine is larger than gRPC takes{said}. A smaller "
            "--batch_size or --image_size makes smaller ones."
        )
    of_memory = exhausted and _MEMORY.search(text)
    refused = of_system and "Cannot allocate memory" in text
    if of_memory or refused or "MemoryError" in kinds:
        return UserError(
            f"The memory is too small{said}. A smaller --batch_size or --image_size "
            "needs less, and in training --micro_batches or --rematerialize; a run "
            "goes on from what is saved."
        )
    if exhausted:
        return UserError(
            f"A limit of the machine, or of a service that it asks, is reached{said}. "
            "Have it raised, or wait, where it is a quota; the same command goes on "
            "from what is saved."
        )
    return None
