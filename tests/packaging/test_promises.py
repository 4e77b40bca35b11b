"""What README, changelog, pins and pages promise to someone who has just arrived."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import archinspect
from tests.support import DOCS, ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
MAKE_ENVIRONMENT = ["python3 -m venv .venv", ". .venv/bin/activate"]


def sh_blocks(page: Path) -> list[list[str]]:
    return [
        block.splitlines()
        for block in re.findall(r"^```sh *\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    ]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_readme_starts_with_the_two_blocks_that_are_run_in_a_fresh_clone() -> None:
    first, second = sh_blocks(ROOT / "README.md")[:2]
    assert first == [*MAKE_ENVIRONMENT, "pip install .", "archinspect params vgg16"]
    assert second == [*MAKE_ENVIRONMENT, "pip install -c constraints.txt -e '.[dev]'", "pytest"]


def test_every_requirement_is_pinned_to_a_version_it_allows() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    lines = [*PYPROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    for requirement in map(Requirement, lines):
        if requirement.name != "archinspect":
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_torch_is_pinned() -> None:
    assert pins()["torch"] == "2.13.0"


def test_the_changelog_speaks_of_this_version() -> None:
    assert archinspect.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The names that a page's headings get, by GitHub's rule: lower case, no punctuation, spaces to hyphens."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.*?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(linked), f"{page.name} links to {target}, which has no such heading"


def test_what_an_agent_is_told_is_true() -> None:
    told = (DOCS / "llms.txt").read_text(encoding="utf-8")
    sections = dict(
        re.findall(
            r"^### `archinspect (\w+)`\n(.*?)(?=^### |\Z)",
            (DOCS / "cli.md").read_text(encoding="utf-8"),
            re.M | re.S,
        )
    )
    commands = re.findall(r"`archinspect ([a-z]+)([^`]*)`", told)
    assert len(commands) > 8
    for command, rest in commands:
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in sections[command], f"archinspect {command} {option}"
    document = archinspect.load("lenet5").summary().to_dict()
    keys = {*document, *document["rows"][0], *document["totals"]}
    rows = told[told.index("- Keys of") : told.index("Integers are exact")]
    assert set(re.findall(r"`([a-z_]+)`", rows)) - keys == {"params", "shapes", "flops", "summary"} - keys
