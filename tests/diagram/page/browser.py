"""A page in a real Chromium, without a window and without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = (
    os.environ.get("ARCHINSPECT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips, with the reason, where there is none."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'archinspect[browser]'"
    )
    if not CHROMIUM:
        pytest.skip("needs Chromium: none on PATH, and ARCHINSPECT_CHROMIUM names none")
    with driver.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """One page, opened from its file; what it asked for and complained of is kept."""

    def __init__(self, browser: Any, file: Path, **context: Any) -> None:
        self.file = file
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True, **context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())

    def close(self) -> None:
        """The page is left; it asked for nothing but itself, and nothing went wrong in it."""
        self.context.close()
        assert self.complaints == []
        assert self.requests == [self.file.as_uri()]

    def cards(self) -> list[str]:
        """The first words of all cards and frames, as drawn."""
        first = "e => e.querySelector('text') ? e.querySelector('text').textContent : ''"
        return list(self.page.eval_on_selector_all("#world [data-id]", f"all => all.map({first})"))

    def texts(self) -> list[str]:
        return list(self.page.eval_on_selector_all("#world text", "all => all.map(e => e.textContent)"))

    def selected(self) -> str:
        """What is said of the selected element to those who cannot see it."""
        found = "document.querySelector('#world [aria-selected=true]')"
        return str(self.page.evaluate(f"{found} ? {found}.getAttribute('aria-label') : ''"))

    def rows(self, column: int = 0) -> list[str]:
        """A column of the table's rows in sight, from the top."""
        script = f"""all => all.map(e => [parseFloat(e.style.top), e.children[{column}].textContent])
            .sort((a, b) => a[0] - b[0]).map(pair => pair[1])"""
        return list(self.page.eval_on_selector_all(".row", script))

    def details(self) -> str:
        return str(self.page.inner_text("#details"))
