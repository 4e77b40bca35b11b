"""The scope that names are unique in."""

from __future__ import annotations

from .nodes import Scalar


class Names:
    """One scope: its path, what all paths in it begin with, and the names taken in it, with their places."""

    __slots__ = ("_counts", "path", "prefix", "taken")

    def __init__(self, path: str, taken: dict[str, Scalar | None] | None = None) -> None:
        self.path = path
        self.prefix = f"{path}." if path else ""
        self.taken = {} if taken is None else taken
        self._counts: dict[str, int] = {}

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
