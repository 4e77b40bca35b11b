"""One browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archinspect.diagram import draw
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from tests.diagram.page.browser import Visit, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Open the page of a network; on the way out it has made no request and no complaint."""
    opened: list[Visit] = []

    def open_page(model: str | Graph, context: dict[str, Any] | None = None, **options: Any) -> Visit:
        graph = load_graph(model) if isinstance(model, str) else model
        file = tmp_path / f"page{len(opened)}.html"
        draw(graph, **options).save(file)
        opened.append(Visit(browser, file, **(context or {})))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()
