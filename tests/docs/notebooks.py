"""Runs notebooks without Jupyter: cells in order, in one set of names, and what they show.

`python -m tests.docs.notebooks` runs every notebook of docs/notebooks and stores what its cells show; the test compares
that with what they show now, of tables and pictures the words.  A cell shows what it prints and the value of its last
expression, as text and, where the value has them, as HTML or SVG (nbformat 4.5).
"""

from __future__ import annotations

import ast
import io
import json
import re
from contextlib import redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..support import DOCS

FOLDER = DOCS / "notebooks"
_RICH = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_"}


def notebooks() -> list[Path]:
    return sorted(FOLDER.glob("*.ipynb"))


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs that its code cells have when run now.  What a cell raises is raised."""
    made = deepcopy(notebook)
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
            cell["outputs"] = _outputs("".join(cell["source"]), f"cell {count}", names, count)
    return made


def _outputs(source: str, place: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(source, place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with redirect_stdout(printed):
        exec(compile(tree, place, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append(
            {
                "output_type": "execute_result",
                "execution_count": count,
                "metadata": {},
                "data": {kind: _lines(text) for kind, text in _shown(value).items()},
            }
        )
    return outputs


def _shown(value: Any) -> dict[str, str]:
    rich = {kind: getattr(value, name)() for kind, name in _RICH.items() if hasattr(type(value), name)}
    # The text of what is shown richly repeats it, and is long.
    return {**rich, "text/plain": f"<{type(value).__name__}>" if rich else repr(value)}


def said(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the words of its tables and pictures in their place: how they look is tested elsewhere."""
    made = deepcopy(notebook)
    for cell in made["cells"]:
        for output in cell.get("outputs", []):
            for kind in output.get("data", {}).keys() & _RICH.keys():
                output["data"][kind] = _words("".join(output["data"][kind]))
    return made


def _words(markup: str) -> list[str]:
    text = re.sub(r"<style.*?</style>", "", markup, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", " ", text).split()


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(notebook: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for path in notebooks():
        before = read(path)
        after = execute(before)
        if after != before:
            write(after, path)
            print(f"rewrote {path}")
