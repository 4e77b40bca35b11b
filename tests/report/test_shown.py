"""Results as a notebook shows them."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

import archinspect
from archinspect.check.verification import Mismatch, Verification


def small() -> archinspect.Network:
    return archinspect.load("conv2d(4, 3) -> relu -> flatten -> linear(2)", input="3x8x8")


def test_a_verification_says_its_verdict_and_shows_its_tables() -> None:
    found = small().verify(batches=(1, 2))
    assert isinstance(found, Verification)
    assert repr(found) == "<Verification of network: agrees; 4 layers, 5 tools, batches 1, 2>"
    html = found._repr_html_()
    for text in ("closed form and real module", "torchinfo", "why two tools disagree"):
        assert text in html


def test_a_verification_that_failed_says_so() -> None:
    found = small().verify(batches=(1,))
    wrong = Mismatch("conv2d", "macs", 1, 2, 1)
    assert "1 figure differs" in repr(replace(found, mismatches=(wrong,)))


def test_a_comparison_says_the_difference_and_shows_its_tables() -> None:
    found = small().compare(archinspect.load("conv2d(4, 3) -> relu -> flatten -> linear(3)", input="3x8x8"))
    assert repr(found) == "<Comparison of network and network: 1 difference, +145 parameters, +144 MACs>"
    assert "+145" in found._repr_html_()


def test_the_package_lists_what_is_public() -> None:
    listed = [name for name in dir(archinspect) if not name.startswith("__")]
    assert listed == ["ArchinspectError", "Network", "from_text", "load", "shipped"]


@pytest.mark.parametrize(("verb", "package"), [("to_pandas", "pandas"), ("measure", "torch")])
def test_a_verb_that_lacks_its_package_says_so(
    verb: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(archinspect.ArchinspectError, match=f"needs {package}") as caught:
        getattr(small(), verb)()
    assert caught.value.diagnostics[0].code == "A404"
