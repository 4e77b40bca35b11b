"""What all tests share: goldens, how many examples a property tries, and the gpu marker."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"

# A shared, slow machine must not turn a sound property into a failure: no deadline on a single example.
settings.register_profile(
    "usual", max_examples=40, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("many", settings.get_profile("usual"), max_examples=10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `pytest --update-golden` write the goldens that it otherwise compares."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from today's output")


def pytest_configure(config: pytest.Config) -> None:
    """`pytest -m many` tries ten thousand examples of each property so marked."""
    settings.load_profile("many" if config.option.markexpr.strip() == "many" else "usual")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    needy = [item for item in items if item.get_closest_marker("gpu")]
    if needy and not _has_gpu():
        for item in needy:
            item.add_marker(
                pytest.mark.skip(reason="needs a CUDA device; torch.cuda.is_available() is False here")
            )


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("vgg16.json", text)` compares `text` with that file of tests/golden, or writes it (--update-golden)."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"no golden {name}: run pytest --update-golden, then read what it wrote"
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            diff = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm=""
            )
            pytest.fail("\n".join(diff), pytrace=False)

    return compare
