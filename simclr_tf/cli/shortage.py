"""What is said where a machine has too little memory or disk for a command."""

from __future__ import annotations

from simclr_tf.errors import UserError


def shortage(error: BaseException) -> UserError | None:
    """What the machine is short of, and what to do; None where it is not that.

    Args:
      error: what a command raised and nothing nearer to it has explained.
    """
    text = " ".join(str(error).split())
    if "No space left" in text or "Disk quota exceeded" in text:
        name = getattr(error, "filename", None)
        return UserError(
            f"The disk is full{f' at {name}' if name else ''}: make room and start the "
            "same command again; a run, embed and search go on from what is saved. "
            "Temporary files go where TMPDIR says."
        )
    # By its name: TensorFlow may not be imported for this.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if not kinds & {"MemoryError", "ResourceExhaustedError"}:
        return None
    what = text.partition(" [[")[0].partition(" [Op:")[0][:200].rstrip(".")
    return UserError(
        f"The memory is too small{f': {what}' if what else ''}. A smaller --batch_size "
        "or --image_size needs less, and in training --micro_batches or "
        "--rematerialize; a run goes on from what is saved."
    )
