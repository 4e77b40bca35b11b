"""Which layers of one network stand for which of another: an alignment of their structures.

Sequences are aligned in order so that as much as possible corresponds (Needleman & Wunsch 1970), pieces by what they
are made of rather than by their names alone, and what corresponds is aligned inside.  Where scopes find no partner
they are opened and their content is aligned, so that a network written flat meets the same network written in blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from .pieces import Piece

#: (node of the first graph, node of the second); None where it has no partner
Match = tuple[int | None, int | None]

# Pieces that are less alike than this are opened, or told as removed and added.
_ALIKE = 0.4
# A table of more cells than this is not filled; the sequences are then split at layers that are equal.
_MOST_CELLS = 250_000


def align(one: Sequence[Piece], other: Sequence[Piece]) -> list[Match]:
    """Every node of both, each once, in the order of the first with the second's own ones where they come."""
    return list(_sequences(tuple(one), tuple(other)))


def _sequences(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> Iterator[Match]:
    start = 0
    while start < min(len(one), len(other)) and _same(one[start], other[start]):
        yield from _pair(one[start], other[start])
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and _same(one[-1 - end], other[-1 - end]):
        end += 1
    yield from _middle(one[start : len(one) - end], other[start : len(other) - end])
    for left, right in zip(one[len(one) - end :], other[len(other) - end :], strict=True):
        yield from _pair(left, right)


def _middle(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> Iterator[Match]:
    """What stands between equal beginnings and ends."""
    if not one or not other:
        yield from _alone(one, other)
        return
    large = len(one) * len(other) > _MOST_CELLS
    pairs = _landmarks(one, other) if large else _best(one, other)
    between = _middle if large and pairs else _gap
    left = right = 0
    for i, j in [*pairs, (len(one), len(other))]:
        yield from between(one[left:i], other[right:j])
        if i < len(one):
            yield from _pair(one[i], other[j])
        left, right = i + 1, j + 1


def _gap(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> Iterator[Match]:
    """Pieces that found no partner: scopes are opened as long as both sides have something.

    Where one side has joins and the other none at all (a residual network beside a plain one), joins are opened too.
    """
    if one and other and any(piece.kind == "scope" for piece in one + other):
        yield from _sequences(_opened(one), _opened(other))
    elif one and other and _has_joins(one) != _has_joins(other):
        yield from _sequences(tuple(_layers(one)), tuple(_layers(other)))
    else:
        yield from _alone(one, other)


def _opened(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return tuple(inner for piece in pieces for inner in (piece.inside if piece.kind == "scope" else (piece,)))


def _has_joins(pieces: tuple[Piece, ...]) -> bool:
    return any(piece.kind != "layer" for piece in pieces)


def _layers(pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    """The layers of all branches one after another, and the layer that joins them."""
    for piece in pieces:
        yield from _layers(piece.inside)
        if piece.index is not None:
            yield replace(piece, kind="layer", inside=())


def _alone(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> Iterator[Match]:
    for piece in one:
        yield from ((index, None) for index in piece.indices())
    for piece in other:
        yield from ((None, index) for index in piece.indices())


def _pair(one: Piece, other: Piece) -> Iterator[Match]:
    """Two pieces that stand for each other, and what is inside them."""
    if one.kind == other.kind == "layer":
        yield one.index, other.index
    elif one.kind == other.kind == "scope":
        yield from _sequences(one.inside, other.inside)
    elif "layer" in (one.kind, other.kind):
        yield from _sequences(*(p.inside if p.kind == "scope" else (p,) for p in (one, other)))
    else:
        yield from _branches(one.inside, other.inside)
        if one.index is not None and other.index is not None:
            yield one.index, other.index
        else:
            yield from ((i, None) for i in (one.index,) if i is not None)
            yield from ((None, i) for i in (other.index,) if i is not None)


def _branches(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> Iterator[Match]:
    """Branches have no order: the pairs that are most alike, names included, first."""
    scores = sorted(
        ((_branch_likeness(a, b), -i, -j) for i, a in enumerate(one) for j, b in enumerate(other)),
        reverse=True,
    )
    partner: dict[int, int] = {}
    for score, i, j in scores:
        if score > 0 and -i not in partner and -j not in partner.values():
            partner[-i] = -j
    for i, piece in enumerate(one):
        if i in partner:
            yield from _as_sequences(piece, other[partner[i]])
        else:
            yield from _alone((piece,), ())
    for j, piece in enumerate(other):
        if j not in partner.values():
            yield from _alone((), (piece,))


def _as_sequences(one: Piece, other: Piece) -> Iterator[Match]:
    yield from _sequences(*(p.inside if p.kind == "scope" else (p,) for p in (one, other)))


def _branch_likeness(one: Piece, other: Piece) -> float:
    if not one.size and not other.size:
        return 1.0
    return 0.5 * (one.name == other.name) + _overlap(one, other)


def _best(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> list[tuple[int, int]]:
    """The pairs (in order) that make the most of both sequences correspond."""
    width = len(other) + 1
    best = [[0.0] * width for _ in range(len(one) + 1)]
    gains: list[list[float]] = []
    for i, a in enumerate(one):
        gains.append([_gain(a, b) for b in other])
        above, row = best[i], best[i + 1]
        for j, gain in enumerate(gains[i]):
            row[j + 1] = max(above[j + 1], row[j], above[j] + gain if gain else 0.0)
    pairs: list[tuple[int, int]] = []
    i, j = len(one), len(other)
    while i and j:
        gain = gains[i - 1][j - 1]
        if gain and best[i][j] == best[i - 1][j - 1] + gain:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _landmarks(one: tuple[Piece, ...], other: tuple[Piece, ...]) -> list[tuple[int, int]]:
    """For sequences too long for a table: pieces of one name, or else equal ones, as file comparison finds them."""
    from difflib import SequenceMatcher  # few networks are so long

    def matching(key: Callable[[Piece], object]) -> list[tuple[int, int]]:
        found = SequenceMatcher(None, [key(piece) for piece in one], [key(piece) for piece in other])
        return [(b.a + k, b.b + k) for b in found.get_matching_blocks() for k in range(b.size)]

    named = matching(lambda piece: (piece.kind, piece.name, *piece.types))
    return named or matching(lambda piece: (piece.kind, frozenset(piece.content.items())))


def _gain(one: Piece, other: Piece) -> float:
    """What pairing the two is worth: how alike they are, times how much of them corresponds; 0 for unlike ones."""
    likeness = _likeness(one, other)
    return likeness * (1 + min(one.size, other.size)) if likeness >= _ALIKE else 0.0


def _likeness(one: Piece, other: Piece) -> float:
    """From 0 to 1: by type, attributes, name and, for scopes and joins, content."""
    if one.kind != other.kind:
        return 0.0
    named = one.name == other.name
    if one.node is not None and other.node is not None and one.kind == "layer":
        if one.node.op.type == other.node.op.type:
            return _layer_likeness(one, other, named)
        return 0.42 if one.node.op.category == other.node.op.category else 0.0
    return 0.75 * _overlap(one, other) + 0.15 * named + 0.1 * (one.block == other.block)


def _layer_likeness(one: Piece, other: Piece, named: bool) -> float:
    assert one.node is not None
    assert other.node is not None
    mine, theirs = one.node.op.__dict__, other.node.op.__dict__
    shared = sum(mine[key] == theirs[key] for key in mine) / len(mine) if mine else 1.0
    apart = abs(one.stage - other.stage)
    return 0.45 + 0.3 * shared + 0.15 * named + 0.1 * (not apart) if apart < 2 or named else 0.0


def _overlap(one: Piece, other: Piece) -> float:
    """How much of the content is shared: half by attributes, half by type alone."""
    if not one.size or not other.size:
        return float(one.size == other.size)
    most = max(one.size, other.size)
    exact = sum((one.content & other.content).values()) / most
    return 0.5 * exact + 0.5 * sum((one.types & other.types).values()) / most


def _same(one: Piece, other: Piece) -> bool:
    """Whether two pieces are the same but for names, so that nothing better can be found for either."""
    if one.kind != other.kind or one.content != other.content or one.name != other.name:
        return False
    return len(one.inside) == len(other.inside) and all(map(_same, one.inside, other.inside))
