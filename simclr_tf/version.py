"""The version of simclr_tf; packaging and `simclr --version` read it here."""

__version__ = "0.1.0"
