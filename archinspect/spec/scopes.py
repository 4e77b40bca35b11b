"""The scope that names are unique in."""

from __future__ import annotations

from dataclasses import dataclass, field

from .nodes import Scalar


@dataclass(slots=True)
class Names:
    """One scope: its path and the names taken in it, with their places."""

    path: str
    taken: dict[str, Scalar | None] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    prefix: str = field(init=False)  # of every path in the scope

    def __post_init__(self) -> None:
        self.prefix = f"{self.path}." if self.path else ""

    def join(self, name: str) -> str:
        return self.prefix + name

    def free(self, name: str) -> str:
        """The first of name, name_1, name_2 ... that is not taken (as Keras and torch.fx number layers)."""
        count = self._counts.get(name, 0)
        candidate = f"{name}_{count}" if count else name
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        self._counts[name] = count
        return candidate
