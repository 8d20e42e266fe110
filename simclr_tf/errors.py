"""What the command line answers with one line: mistakes of the user's, and signals."""

from __future__ import annotations


class UserError(ValueError):
    """Something the user gave is wrong; the message says what, where, and what to do.

    The command line prints it as one line with status 2. Any other exception is a
    defect, of this package or of a part of the user's own, and keeps its traceback.
    """

    # TensorFlow raises an exception anew, as one of the same class, where it was raised
    # while a function was traced; of classes with this constructor alone.
    __init__ = Exception.__init__

    # Both keep the class and the message as they are: AutoGraph would raise a
    # StagingError with the user's stack in its message, and Keras would add the
    # arguments of each layer's call.
    ag_pass_through = True
    _keras_call_info_injected = True


class Stopped(Exception):
    """A signal ended the run; the same command resumes it."""
