"""`python -m tests.docs [PAGE...]` rewrites the console output of the pages that are named, or of all."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .examples import Page, pages

for path in [Path(name).resolve() for name in sys.argv[1:]] or pages():
    with tempfile.TemporaryDirectory() as folder:
        page = Page(path, Path(folder))
        text = page.run()
    if text != page.text:
        path.write_text(text, encoding="utf-8")
        print(f"rewrote {path}")
