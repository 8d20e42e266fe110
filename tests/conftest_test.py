"""What continuous integration may not leave out."""

import sys

import pytest

from tests.conftest import must_run

_OLDER = sys.version_info[:2] == (3, 11)


@pytest.mark.parametrize(
    ("fixture", "environment", "tensorflow", "must"),
    [
        ("golden_folder", {"CI": "true"}, "2.21.0", True),
        ("golden_folder", {}, "2.21.0", False),
        ("compiler", {"CI": "true"}, "2.15.1", _OLDER),
        ("compiler", {"CI": "true", "SIMCLR_LIBTPU": "no"}, "2.15.1", False),
        ("compiler", {"CI": "true"}, "2.21.0", False),
        ("compiler", {}, "2.15.1", False),
        ("tmp_path", {"CI": "true"}, "2.15.1", False),
    ],
)
def test_parity_and_the_tpus_compiler_are_not_skipped(
    fixture, environment, tensorflow, must
):
    assert must_run(["tmp_path", fixture], environment, tensorflow) is must
