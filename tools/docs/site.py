"""What MkDocs calls while it builds the site of mkdocs.yml.

Pages of docs/ link to files of the checkout beside them, so that the links work where
the checkout is read. The site holds those of them that are documents or pictures, under
their own names, as if docs/ lay beside them. Other links give way to their words.
"""

from __future__ import annotations

import pathlib
import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).resolve().parents[2]
BESIDE = ("ARCHITECTURE.md", "experiments/**/*.md", "experiments/**/*.png")
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<rest>#[^)]*)?\)"
)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Adds the files of the checkout that pages link to."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Turns links that lead out of docs/ to where the site has their files."""
    name = page.file.src_uri
    # Where the page lies in the checkout.
    own = name if page.file.generated_by else f"docs/{name}"

    def turned(found: re.Match[str]) -> str:
        target = found["target"]
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(own), target))
        there = meant[len("docs/") :] if meant.startswith("docs/") else meant
        if files.get_file_from_path(there) is None:
            if (ROOT / meant).exists():
                return found["words"]
            return found[0]  # MkDocs says that it leads nowhere.
        link = posixpath.relpath(there, posixpath.dirname(name) or ".")
        return f"{found['image']}[{found['words']}]({link}{found['rest'] or ''})"

    return _outside_fences(markdown, lambda text: _LINK.sub(turned, text))


def _outside_fences(markdown: str, change: Any) -> str:
    """Changes a page, but not its blocks of code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])
