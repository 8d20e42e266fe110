"""The Python rules of this checkout, in the one place to change them.

They are Bazel's own. A Bazel that has handed them to rules_python (8 and later) loads
them from "@rules_python//python:defs.bzl" here, and needs nothing else changed.
"""

def py_library(**attributes):
    """A Python module.

    Args:
      **attributes: those of the native rule.
    """
    native.py_library(**attributes)  # buildifier: disable=native-py

def py_binary(**attributes):
    """A Python program.

    Args:
      **attributes: those of the native rule.
    """
    native.py_binary(**attributes)  # buildifier: disable=native-py

def pytest_test(name, srcs, deps = []):
    """A file of pytest tests.

    Args:
      name: the target's name.
      srcs: the test file.
      deps: what it imports.
    """
    main = "//tests:pytest_main.py"

    # buildifier: disable=native-py
    native.py_test(
        name = name,
        srcs = srcs + [main],
        args = ["$(rootpath %s)" % src for src in srcs],
        main = main,
        deps = deps + ["//tests:conftest", "//tests:pytest_main"],
    )
