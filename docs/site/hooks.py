"""What the site adds to docs/: README as its first page, the changelog, and the files outside docs/ that pages link to.

MkDocs calls these functions by their names.  The pages themselves are the files that GitHub shows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
#: pages of the site that stand elsewhere
PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
_LINK = re.compile(r"(\]\()([^)#\s]+)")
_TITLE = re.compile(r"^(```\w+ )title=([^\s\"]+)$", re.MULTILINE)
_NOT_RUN = re.compile(r"^<!-- not run: .*? -->\n", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add README, the changelog, the licence and the specs."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    for path in [ROOT / "LICENSE", *sorted((ROOT / "specs").rglob("*.yaml"))]:
        name = path.relative_to(ROOT).as_posix()
        name = f"{name}.txt" if path.suffix == ".yaml" or not path.suffix else name  # a browser shows it
        files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as the site has them, and fences in the form that it understands."""
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
    here = PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    markdown = _LINK.sub(lambda match: f"{match[1]}{_target(match[2], here)}", markdown)
    markdown = _TITLE.sub(r'\1title="\2"', markdown)
    return _NOT_RUN.sub("", markdown)


def _target(link: str, page: str) -> str:
    """Where a link of a page leads on the site, which has docs/ at its top."""
    if re.match(r"[a-z]+:", link):
        return link
    path = (ROOT / page).parent / link
    try:
        found = path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return link
    for name, source in PAGES.items():
        if found == source:
            return name
    if found == "specs":
        return "networks.md"
    if found.startswith("specs/") or found == "LICENSE":
        return f"{found}.txt"
    return found.removeprefix("docs/")
