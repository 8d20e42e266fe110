"""What is said of images whose size or dtype an encoder does not take."""

from __future__ import annotations

import re

from simclr_tf.errors import UserError

# Of Keras' layers, of a loaded SavedModel, and of convolutions of too small images.
_MISFIT = re.compile(
    r"Input \d+ of layer .* is incompatible with the layer.*"
    r"|Could not find matching concrete function.*"
    r"|Binding inputs to tf\.function failed.*"
    r"|Negative dimension size caused by .*"
    r"|One of the dimensions in the output is <= 0.*"
)


def misfit(error: Exception) -> str | None:
    """The line that says so, where an encoder's images are the cause of an error."""
    found = _MISFIT.search(str(error))
    return found[0] if found and not isinstance(error, UserError) else None
