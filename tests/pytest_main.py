"""Runs the test files it is given: what Bazel starts for each test."""

from __future__ import annotations

import sys

import pytest

if __name__ == "__main__":
    sys.exit(
        pytest.main(
            ["--import-mode=importlib", "-p", "no:cacheprovider", *sys.argv[1:]]
        )
    )
