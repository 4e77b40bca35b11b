"""Names of layers and scopes while a network is laid out, and the limits of its size."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .document import Document, Statement
from .layers import Layers
from .names import is_reserved
from .nodes import Scalar
from .scopes import Names
from .size import refuse, refuse_too_many_layers
from .source import MAX_NAME, MAX_NODES, MAX_PATH, MAX_SCOPES
from .values import UNKNOWN, Environment

#: beyond so many statements the network's size is computed in advance; few networks are as large
_UNCOUNTED = 4000


class Naming(Layers):
    """Gives each layer and scope its path, and refuses a network that grows too large or too deep."""

    def __init__(
        self, document: Document, broken: set[tuple[int, int]], arguments: Mapping[str, Any]
    ) -> None:
        super().__init__(document, broken, arguments)
        self._passing: set[str] = set()  # paths of branches that add no layer
        self._met = 0  # statements, by their work
        self._uncounted: float = _UNCOUNTED  # so many may be met before all are counted

    def _name(
        self, statement: Statement, number: str, env: Environment, names: Names, current: int | None
    ) -> str | None:
        """The name that a statement gives, None when it gives none."""
        if statement.name is None or not statement.template:
            return statement.name and statement.name + number
        assert statement.key is not None
        words = []
        for part in statement.template:
            value = part
            if not isinstance(part, str):
                value = self.value(part, statement.key, env, current, names.path)
            words.append("_" if value is UNKNOWN else str(value))
        name = "".join(words) + number
        if len(name) > MAX_NAME or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or is_reserved(name):
            span = statement.key.span
            if not any(
                each.code == "A209" and each.span == span for each in self.errors
            ):  # said while reading
                self.error("A209", f"'{name}' cannot name a layer", span, names.path, help="e.g. conv{i}")
        return name

    def _count(self, work: int) -> None:
        self._met += work
        # What is laid out is counted, too: a condition that follows a width cannot be counted in advance.
        most = max(len(self.nodes), self._met)
        if most > MAX_NODES:
            refuse(self.document, most)
        if self._met >= self._uncounted:
            self._uncounted = math.inf
            refuse_too_many_layers(self.document, self._arguments, self.broken)

    def _take(self, names: Names, name: str, key: Scalar | None) -> str:
        """The path of a name, which is taken from now on."""
        path = names.join(name)
        if name == "input" and not names.path:
            span = key.span if key else None
            self.error("A209", "'input' is the name of the network's input", span, path, help="e.g. stem")
        else:
            self._refuse_taken(names.taken, name, key, path)
        return path

    def _take_passing(self, names: Names, name: str, key: Scalar | None) -> None:
        """Take the name of a branch that adds no layer: those of other joins in the scope may have it, too."""
        path = names.join(name)
        if path not in self._passing:
            self._take(names, name, key)
            self._passing.add(path)

    def _refuse_taken(
        self, taken: dict[str, Scalar | None], name: str, key: Scalar | None, path: str
    ) -> None:
        """Take a name, or say where it was taken before."""
        if name not in taken:
            taken[name] = key
            return
        first = taken[name]
        related = ((first.span, "first here"),) if first else ()
        span = key.span if key else None
        message = f"the name '{name}' is taken"
        self.error("A210", message, span, path, help="name it differently", related=related)

    def _too_deep(self, path: str, scalar: Scalar | None, more: int = 0) -> bool:
        if path.count(".") + more < MAX_SCOPES and len(path) <= MAX_PATH:
            return False
        span = scalar.span if scalar else None
        message = (
            f"scopes are nested more than {MAX_SCOPES} deep, or a path is longer than {MAX_PATH} characters"
        )
        self.error(
            "A103", message, span, path, help="use repeats, shorter names, or fewer blocks inside blocks"
        )
        return True
