"""The page: one HTML file to explore a network in, offline.

It holds its data (`pack.py`) as JSON and draws in the browser, by the scripts beside this file: `model.js` (elements,
folding), `boxes.js` and `layout.js` (places, by the same rules as `..blocks`), `draw.js` (SVG), `table.js`,
`details.js`, `app.js` (state, selecting), `move.js`, `search.js`, `paper.js` (saving, printing), `start.js`.  A policy
in the page allows exactly this script and this style, by their hashes, and nothing else: no request is possible.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from ... import neutral
from ...errors import fail
from ...graph import Graph
from ..options import Options
from .pack import pack

_FOLDER = Path(__file__).parent
_SCRIPTS = ("boxes", "layout", "model", "draw", "table", "details", "app", "move", "search", "paper", "start")


def page(graph: Graph, options: Options) -> str:
    """The page's HTML.  Raises ArchinspectError (A403) for a scope that there is not, or for networks beside it."""
    if options.beside:
        raise fail(
            "A403", "a page shows one network", help="write each to a page of its own, or both to an SVG"
        )
    data = pack(graph, options)
    style, script = _asset("page.css"), _script()
    return Template(_asset("page.html")).substitute(
        title=escape(neutral.line(data["title"])),
        description=escape(neutral.line(f"{data['title']}: {data['subtitle']}")),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=_json(data),
    )


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


@cache
def _script() -> str:
    parts = "\n".join(_asset(f"{name}.js").replace('"use strict";\n', "", 1) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _hash(text: str) -> str:
    """What a content security policy calls a text by (CSP level 3, hash sources)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: object) -> str:
    """JSON that cannot end the element it stands in, nor begin a comment in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return neutral.in_json(text.replace("<", "\\u003c"))
