import sys

from simclr_tf.messages import printable, say


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
