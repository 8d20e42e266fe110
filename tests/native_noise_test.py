"""TensorFlow's notices are dropped from stderr, and nothing else ever is."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from simclr_tf import native_noise

NOTICES = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to "
    b"STDERR",
    b"I0000 00:00:1795749842.303916   31164 device_compiler.h:186] Compiled cluster "
    b"using XLA!  This line is logged at most once for the lifetime of the process.",
    b"I0000 00:00:1795749912.784883     826 cudart_stub.cc:31] Could not find cuda "
    b"drivers on your machine, GPU will not be used.",
    b"2026-01-02 03:04:05.678901: I tensorflow/core/util/port.cc:113] oneDNN custom "
    b"operations are on. You may see slightly different numerical results.",
]


def through(data):
    """What comes out of the filter of what is written into it at once."""
    (source, writing), (reading, target) = os.pipe(), os.pipe()
    os.write(writing, data)
    os.close(writing)
    native_noise.pass_on(source, target)
    os.close(target)
    with os.fdopen(reading, "rb") as file:
        return file.read()


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_is_dropped_between_lines_that_stay(notice):
    assert through(b"before\n" + notice + b"\nafter\n") == b"before\nafter\n"
    assert through(notice) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"E0000 00:00:1795749842.303916   31164 any.cc:1] Compiled cluster using XLA!",
        b"F0000 00:00:1795749842.303916   31164 any.cc:1] Check failed: size > 0",
        b"someone says: " + NOTICES[0],
        b"I0000 00:00:1795749842.303916   31164 any.cc:1] of another kind",
        b"\xff\xfe not text",
        b"",
    ],
)
def test_any_other_line_comes_through_byte_by_byte(line):
    assert through(line + b"\n") == line + b"\n"
    assert through(line) == line


def process(body):
    """A command that has started the filter and does `body`, and its stderr."""
    script = (
        "import os, sys, signal, subprocess\n"
        "sys.argv[0] = 'simclr'\n"
        "from simclr_tf import native_noise\n"
        "native_noise.start()\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", script + textwrap.dedent(body)],
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("os.abort()", -signal.SIGABRT),
    ],
)
def test_what_is_written_last_comes_through_however_the_process_ends(end, status):
    ended = process(
        f"""
        os.write(2, {NOTICES[0]!r} + b"\\n")
        os.write(2, b"native\\n" * 10_000 + b"the last word")
        {end}
        """
    )
    assert ended.returncode == status
    assert ended.stderr == b"native\n" * 10_000 + b"the last word"


def test_pythons_own_words_and_those_of_child_processes_come_through():
    ended = process(
        f"""
        print("from Python", file=sys.stderr, flush=True)
        words = [{NOTICES[1].decode()!r}, "from a child"]
        code = "import os; os.write(2, " + repr("\\n".join(words).encode()) + ")"
        subprocess.run([sys.executable, "-c", code], check=True)
        raise RuntimeError("a defect")
        """
    )
    assert ended.returncode == 1
    for words in (b"from Python\n", b"from a child", b"RuntimeError: a defect\n"):
        assert words in ended.stderr
    assert b"XLA" not in ended.stderr


def test_a_terminal_stays_one_for_python(tmp_path):
    answer = tmp_path / "answer"
    master, terminal = os.openpty()
    code = (
        "import sys, os\n"
        "sys.argv[0] = 'simclr'\n"
        "from simclr_tf import native_noise\n"
        "native_noise.start()\n"
        f"open({str(answer)!r}, 'w').write(f'{{sys.stderr.isatty()}} {{os.isatty(2)}}')"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    subprocess.run(
        [sys.executable, "-c", code], stderr=terminal, env=environment, check=True
    )
    os.close(terminal)
    os.close(master)
    assert answer.read_text() == "True False"
