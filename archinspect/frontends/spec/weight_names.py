"""What other people's checkpoints call the layers: the rules of a spec's `weights`.

    weights:
      conv{s}_x.block{b}.shortcut.conv: layer{s - 1}.{b - 1}.downsample.0

A rule is for every layer whose path it matches, and for all that lies below.  `{s}` stands for a part of a name without
dots; on the right side it can be computed with, where it is a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from .expressions import Expression, parse_expression
from .syntax import ExpressionError

_HOLE = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OURS = re.compile(r"(?:[A-Za-z0-9_.\-]|\{[a-z]\})*")
_THEIRS = re.compile(r"(?:[A-Za-z0-9_.\-]|\{[a-z](?: ?[-+*] ?[0-9])?\})*")
_NAMED = re.compile(r"\{([a-z])")
_LITERAL = re.compile(r"[A-Za-z0-9_.\-]*\Z")


@dataclass(frozen=True, eq=False)
class WeightName:
    """One rule: `ours` and `theirs` as written, and what they compile to (most commands never ask)."""

    ours: str
    theirs: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a key of ours looks like that the rule is for, its holes as groups."""
        return re.compile(self._compiled[0])

    @property
    def parts(self) -> tuple[str | Expression, ...]:
        """The texts and holes that a checkpoint's key is made of."""
        return self._compiled[1]

    @cached_property
    def _compiled(self) -> tuple[str, tuple[str | Expression, ...]]:
        return _compile(self.ours, self.theirs)

    def rename(self, key: str) -> str | None:
        """What the checkpoint calls our key, or None where the rule is not for it."""
        match = self.pattern.match(key)
        if match is None:
            return None
        values = {name: int(text) if text.isdigit() else text for name, text in match.groupdict().items()}
        try:
            written = [part if isinstance(part, str) else str(part.evaluate(values)) for part in self.parts]
        except ExpressionError:  # arithmetic on a word: the rule is for other layers
            return None
        return "".join(written) + key[match.end() :]

    def knows(self, key: str) -> bool:
        """Whether a key of a checkpoint can be that of a layer that the rule is for."""
        text = "".join(re.escape(p) if isinstance(p, str) else "[A-Za-z0-9_]+" for p in self.parts)
        return re.match(rf"{text}(?:\.|\Z)", key) is not None


def weight_name(ours: str, theirs: str) -> WeightName:
    """A rule from its two sides.  Raises ExpressionError; its column is in `ours` for A209, else in `theirs`."""
    known, used = _OURS.fullmatch(ours), _THEIRS.fullmatch(theirs)
    if known is None or used is None or not {*_NAMED.findall(theirs)} <= {*_NAMED.findall(ours)}:
        _compile(ours, theirs)  # not of the plain form that is right for sure
    return WeightName(ours, theirs)


def _compile(ours: str, theirs: str) -> tuple[str, tuple[str | Expression, ...]]:
    pattern = ""
    names: set[str] = set()
    for text, is_hole, column in _split(ours, "A209"):
        if not is_hole:
            pattern += re.escape(text)
        elif not _WORD.match(text):
            help = "for example block{n}"
            raise ExpressionError(
                "A209", f"'{text}' cannot name a part of a path", column, len(text) or 1, help
            )
        elif text in names:
            pattern += f"(?P={text})"
        else:
            names.add(text)
            pattern += f"(?P<{text}>[A-Za-z0-9_]+?)"
    parts: list[str | Expression] = []
    for text, is_hole, column in _split(theirs, "A201"):
        if not is_hole:
            parts.append(text)
            continue
        expression = _expression(text, column)
        for name in sorted(expression.names - names):
            known = ", ".join(sorted(names)) or "none"
            message = f"unknown name '{name}'"
            raise ExpressionError("A208", message, column, len(text), f"known from the left side: {known}")
        parts.append(expression)
    return rf"{pattern}(?=\.|\Z)", tuple(parts)


def _expression(text: str, column: int) -> Expression:
    try:
        return parse_expression(text)
    except ExpressionError as error:
        help = "for example layer{s - 1}"
        raise ExpressionError(
            "A201" if error.code == "A201" else error.code, error.message, column, 1, help
        ) from None


def _split(text: str, code: str) -> list[tuple[str, bool, int]]:
    """Literal parts and holes of a side, each with its column."""
    found: list[tuple[str, bool, int]] = []
    last = 0
    for match in _HOLE.finditer(text):
        found.append((text[last : match.start()], False, last))
        found.append((match[1], True, match.start() + 1))
        last = match.end()
    found.append((text[last:], False, last))
    for literal, is_hole, column in found:
        if not is_hole and not _LITERAL.match(literal):
            help = "letters, digits, '_', '-' and dots, with {name} for what differs"
            raise ExpressionError(code, f"'{literal}' is not part of a path", column, len(literal), help)
    return found
