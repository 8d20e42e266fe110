"""What the page's script reads is JSON that no name can end."""

import fnmatch
import json
import pathlib
import re

import pytest

import simclr_tf
from simclr_tf.report.page import as_json

_NAME = '</script><script>alert("\u2028&amp;")</script><!--'


def test_names_in_json_are_kept_and_end_nothing():
    text = str(as_json({"names": [_NAME], "surrogate": "\udcff"}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text)["names"] == [_NAME]


def test_numbers_that_no_script_reads_are_refused():
    with pytest.raises(ValueError, match=r"JSON"):
        as_json([float("nan")])


def test_a_wheel_holds_the_templates():
    package = pathlib.Path(simclr_tf.__file__).parent
    text = (package.parent / "pyproject.toml").read_text(encoding="utf-8")
    data = re.search(r"^simclr_tf = (\[.*?\])$", text, re.MULTILINE).group(1)
    templates = sorted((package / "report" / "templates").iterdir())
    assert [path.suffix for path in templates] == [".css", ".html", ".js"]
    for path in templates:
        name = path.relative_to(package).as_posix()
        assert any(fnmatch.fnmatch(name, each) for each in json.loads(data)), name
