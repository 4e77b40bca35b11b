"""What checks found, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archinspect.files import write

SHOWN, FAILED, OPEN = "shown", "FAILED", "not shown"


@dataclass(frozen=True)
class Finding:
    """What one check found.  `figures` are the numbers, in ms where no unit is named.

    A check that others' use of the machine kept from an answer has shown nothing: `disturbed` says by what.  It never
    turns a failure into a success.
    """

    name: str
    passed: bool
    demand: str
    figures: dict[str, Any] = field(default_factory=dict)
    disturbed: str = ""

    @property
    def outcome(self) -> str:
        return SHOWN if self.passed else OPEN if self.disturbed else FAILED

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "outcome": self.outcome}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        return cls(**{name: value for name, value in data.items() if name != "outcome"})


@dataclass(frozen=True)
class Acceptance:
    """All findings of one machine, newest run of each check."""

    title: str
    command: str
    day: str
    environment: Mapping[str, Any]
    findings: Sequence[Finding]

    def document(self) -> dict[str, Any]:
        """Everything as JSON."""
        found = [finding.to_dict() for finding in self.findings]
        return {
            "title": self.title,
            "command": self.command,
            "day": self.day,
            "environment": dict(self.environment),
            "findings": found,
        }

    def page(self, raw: str) -> str:
        """Everything as a page of docs/measurements; `raw` is the file with the raw figures."""
        shown = sum(each.outcome == SHOWN for each in self.findings)
        lines = [
            f"# {self.title}, {self.day}",
            "",
            f"Written by `{self.command}`: {shown} of {len(self.findings)} demands shown. Raw figures: [{raw}]({raw}).",
            "",
            "| check | demand | found | result |",
            "| --- | --- | --- | --- |",
            *(
                f"| {each.name} | {each.demand} | {_brief(each.figures)} | {each.outcome} |"
                for each in self.findings
            ),
            "",
        ]
        unclear = [each for each in self.findings if each.outcome == OPEN]
        if unclear:
            lines += ["Not shown is not refuted: others used the machine.", ""]
            lines += [f"- {each.name}: {each.disturbed}" for each in unclear] + [""]
        lines += ["## Environment", ""]
        lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in self.environment.items()]
        return "\n".join([*lines, ""])

    def save(self, folder: Path, stem: str) -> None:
        """Write `stem`.json and `stem`.md."""
        write(json.dumps(self.document(), indent=1) + "\n", folder / f"{stem}.json")
        write(self.page(f"{stem}.json"), folder / f"{stem}.md")


def recorded(file: Path, machine: Mapping[str, Any], keys: Sequence[str]) -> list[Finding]:
    """The findings in a file, if it was written on such a machine: one that agrees in these keys."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    same = all(document["environment"].get(key) == machine.get(key) for key in keys)
    return [Finding.from_dict(each) for each in document["findings"]] if same else []


def merged(earlier: Sequence[Finding], later: Sequence[Finding], order: Sequence[str]) -> list[Finding]:
    """The later finding of each name, in the checks' order."""
    latest = {finding.name: finding for finding in [*earlier, *later]}
    known = [latest[name] for name in order if name in latest]
    return [*known, *(finding for name, finding in latest.items() if name not in order)]


def _brief(figures: Mapping[str, Any]) -> str:
    """The figures that are one number or word, in a cell."""
    parts = []
    for name, value in figures.items():
        if isinstance(value, float):
            parts.append(f"{name.replace('_', ' ')} {value:.4g}")
        elif isinstance(value, (bool, int, str)) and len(str(value)) < 80:
            parts.append(f"{name.replace('_', ' ')} {value}")
    return "; ".join(parts).replace("|", "/")
