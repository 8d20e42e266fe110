"""Where is kept what would take long to make again, and belongs to no run."""

from __future__ import annotations

import os


def cache_folder() -> str:
    """The folder that SIMCLR_TF_CACHE names, or else ~/.cache/simclr_tf."""
    folder = os.environ.get("SIMCLR_TF_CACHE")
    if folder:
        return folder
    home = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or home, "simclr_tf")
