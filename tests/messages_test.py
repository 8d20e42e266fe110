import ast
import os
import pathlib
import subprocess
import sys

from simclr_tf import messages
from simclr_tf.messages import printable, say

PACKAGE = pathlib.Path(messages.__file__).parent


def test_escape_sequences_are_shown_and_not_obeyed():
    assert printable("a\x1b[31mb\x07\x9b") == r"a\x1b[31mb\x07\x9b"


def test_text_of_any_language_and_several_lines_stay_as_they_are():
    text = "façade\tφως 写真\nsecond line"
    assert printable(text) == text


def test_names_that_are_no_utf8_can_be_printed():
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    printable(name).encode()
    assert printable(name) == r"caf\udce9.jpg"


def test_a_line_is_written_through(monkeypatch):
    class Stream:
        def __init__(self):
            self.calls = []

        def write(self, text):
            self.calls.append(text)

        def flush(self):
            self.calls.append("flush")

    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    say("hello\x1b")
    assert "".join(stream.calls) == "hello\\x1b\nflush"


def test_a_pipe_has_the_first_line_before_the_process_ends():
    # Without the package's __init__, which takes seconds.
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import messages\n"
        "messages.say('first')\nsys.stdin.read()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout.readline() == b"first\n"
        assert process.poll() is None
        process.stdin.close()


def test_the_command_line_prints_by_no_other_way():
    for path in (PACKAGE / "cli").glob("*.py"):
        printed = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Name) and node.id == "print"
        ]
        assert not printed, f"{path}: say instead of print in lines {printed}"
