"""Bazel's BUILD files, written from the source tree so that they cannot be wrong.

python tools/bazel/build_files.py           names BUILD files that are out of date
python tools/bazel/build_files.py --write   writes them

Every module is a target whose deps are its imports, wherever in the file they stand,
and the modules that it names in full in a string, to import them later.
A room's `__init__.py` is the target that bears the room's name.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("simclr_tf", "tests", "experiments", "tools")
RULES = "//tools/bazel:python.bzl"
HEADER = "# Written by tools/bazel/build_files.py --write.\n"
THIRD_PARTY = """\
# Third-party packages come with the interpreter: requirements.txt pins them, setup.sh
# installs them. These targets stand for them in the deps of the others.
"""


@dataclasses.dataclass(frozen=True)
class Module:
    """A Python file as Bazel sees it."""

    path: pathlib.PurePosixPath
    """Relative to the checkout."""
    tree: ast.Module = dataclasses.field(repr=False, compare=False)

    @property
    def package(self) -> str:
        """The folder, which is also the Bazel package."""
        return str(self.path.parent)

    @property
    def target(self) -> str:
        """The name of the target."""
        if self.path.name == "__init__.py":
            return self.path.parent.name
        if self.path.name == "__main__.py":
            return "simclr"
        return self.path.stem

    @property
    def rule(self) -> str:
        """The kind of the target."""
        if self.path.name.endswith("_test.py"):
            return "pytest_test"
        if self.path.name == "__main__.py" or self.package.startswith("experiments"):
            return "py_binary"
        return "py_library"

    @property
    def label(self) -> str:
        """The target as seen from any package."""
        if self.target == self.path.parent.name:
            return f"//{self.package}"
        return f"//{self.package}:{self.target}"


def modules(root: pathlib.Path) -> dict[str, Module]:
    """Every Python file under `root`'s source folders, by its path."""
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    found = {}
    for path in paths:
        relative = pathlib.PurePosixPath(path.relative_to(root).as_posix())
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        found[str(relative)] = Module(relative, tree)
    return found


def imports(module: Module) -> set[tuple[str, str | None]]:
    """What a module imports, as (module, name), or (module, None) for `import m`."""
    found: set[tuple[str, str | None]] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found.update((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"relative import in line {node.lineno}")
            found.update((node.module or "", alias.name) for alias in node.names)
    return found


def named(module: Module, known: dict[str, Module]) -> set[str]:
    """The modules of the checkout whose full names are strings of a module."""
    strings = {getattr(node, "value", None) for node in ast.walk(module.tree)}
    return {
        string
        for string in strings
        if isinstance(string, str)
        and "." in string
        and f"{string.replace('.', '/')}.py" in known
    }


def label_of(name: str, attribute: str | None, known: dict[str, Module]) -> str | None:
    """The target that `from name import attribute` needs; None in Python itself."""
    top = name.split(".")[0]
    if top not in FOLDERS:
        return None if top in sys.stdlib_module_names else f"//:{top}"
    path = name.replace(".", "/")
    room = known.get(f"{path}/__init__.py")
    if attribute and not (room and attribute in bindings(room)):
        inner = known.get(f"{path}/{attribute}.py") or known.get(
            f"{path}/{attribute}/__init__.py"
        )
        if inner:
            return inner.label
    module = room or known.get(f"{path}.py")
    if not module:
        raise ValueError(f"no file for the import of {name}")
    return module.label


def bindings(room: Module) -> set[str]:
    """The names that an `__init__.py` defines or re-exports, its submodules apart."""
    package = room.package.replace("/", ".")
    bound = set()
    body = list(room.tree.body)
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            body += node.body
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module != package:
            bound.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.Assign):
            bound.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return bound


def dependencies(module: Module, known: dict[str, Module]) -> set[str]:
    """The labels of all that a module imports."""
    try:
        labels = {label_of(name, attr, known) for name, attr in imports(module)}
        labels |= {label_of(name, None, known) for name in named(module, known)}
    except ValueError as error:
        raise ValueError(f"{module.path}: {error}") from None
    return {label for label in labels if label and label != module.label}


def build_files(root: pathlib.Path) -> dict[str, str]:
    """The text of every BUILD file, by its path."""
    known = modules(root)
    packages: dict[str, list[Module]] = {}
    for module in known.values():
        packages.setdefault(module.package, []).append(module)

    files = {}
    third_party = set()
    for package, members in packages.items():
        rules = []
        for module in sorted(members, key=lambda module: module.path.name):
            deps = dependencies(module, known)
            third_party |= {label[3:] for label in deps if label.startswith("//:")}
            attributes: dict[str, object] = {"name": module.target}
            if package.startswith("tests") and module.rule == "py_library":
                attributes["testonly"] = True
            attributes["srcs"] = [module.path.name]
            if module.rule == "py_binary":
                attributes["main"] = module.path.name
            attributes["data"] = _templates(root, module)
            attributes["deps"] = _relative(deps, package)
            rules.append(_call(module.rule, attributes))
        if package == "tests":
            rules.append(_call("exports_files", [["pytest_main.py"]]))
        kinds = sorted({module.rule for module in members})
        files[f"{package}/BUILD"] = _file(kinds, rules)

    standins = [_call("py_library", {"name": name}) for name in sorted(third_party)]
    standins[0] = THIRD_PARTY + standins[0]
    simclr = _call("alias", {"name": "simclr", "actual": "//simclr_tf:simclr"})
    files["BUILD"] = _file(["py_library"], [simclr, *standins])
    return files


def _templates(root: pathlib.Path, module: Module) -> list[str]:
    """The files of the folder `templates` beside a module that names it."""
    if "templates" not in (getattr(n, "value", None) for n in ast.walk(module.tree)):
        return []
    folder = root / module.package / "templates"
    return [f"templates/{path.name}" for path in sorted(folder.glob("*.*"))]


def _relative(labels: set[str], package: str) -> list[str]:
    """Labels as they are written within a package, in buildifier's order."""
    own = f"//{package}:"
    written = {
        f":{pathlib.PurePosixPath(package).name}"
        if label == f"//{package}"
        else label.replace(own, ":", 1)
        for label in labels
    }
    return sorted(
        written,
        key=lambda label: (
            not label.startswith(":"),
            label.replace(":", ".").split("."),
        ),
    )


def _file(kinds: list[str], rules: list[str]) -> str:
    load = _call("load", [RULES, *kinds])
    package = 'package(default_visibility = ["//visibility:public"])\n'
    return "\n".join([HEADER + load, package, *rules])


def _call(function: str, arguments: dict[str, object] | list[object]) -> str:
    """A call as buildifier lays it out."""
    if isinstance(arguments, list):
        return f"{function}({', '.join(_value(value) for value in arguments)})\n"
    given = {key: value for key, value in arguments.items() if value != []}
    if len(given) == 1:
        ((key, value),) = given.items()
        return f"{function}({key} = {_value(value)})\n"
    lines = [f"    {key} = {_value(value)},\n" for key, value in given.items()]
    return f"{function}(\n{''.join(lines)})\n"


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list) and len(value) > 1:
        return "[\n" + "".join(f"        {_value(v)},\n" for v in value) + "    ]"
    if isinstance(value, list):
        return f"[{_value(value[0])}]"
    return str(value)


def out_of_date(root: pathlib.Path) -> dict[str, str | None]:
    """BUILD files to write, or with None to remove, by their paths."""
    wanted = build_files(root)
    present = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (root / folder).rglob("BUILD")
    }
    if (root / "BUILD").exists():
        present["BUILD"] = (root / "BUILD").read_text(encoding="utf-8")
    return {
        path: wanted.get(path)
        for path in sorted({*wanted, *present})
        if wanted.get(path) != present.get(path)
    }


def main() -> None:
    """Names or writes the BUILD files that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write them")
    write = parser.parse_args().write
    stale = out_of_date(ROOT)
    for path, text in stale.items():
        print(path)
        if write and text is None:
            (ROOT / path).unlink()
        elif write:
            (ROOT / path).write_text(text, encoding="utf-8")
    sys.exit(bool(stale) and not write)


if __name__ == "__main__":
    main()
