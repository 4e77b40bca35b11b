"""From pasted tables to a ledger: which network, which column is what, which row is which layer.

Columns are known by their headings and by what their cells look like.  Rows are aligned with the layers in order, as
two sequences are: by name, kind, shape and figures, so that a wrong figure does not lose its row.  What cannot be
aligned is said.  The result is the text of a ledger, as `docs/claims.md` describes it, for judging or editing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ..errors import fail
from ..frontends.spec import load_graph, shipped
from ..graph import Graph, Node
from .paste import Pasted, tables, totals
from .printed import NotANumberError, Printed, parse
from .quantities import kind_of, kinds, params, size
from .roles import DETAILS, LABEL, LAYER, SHARES, SIZES
from .select import all_paths, select

_DERIVATION = "formula"
#: headings → what the column states; the first that matches
_HEADINGS: tuple[tuple[str, str], ...] = (
    (
        r"top[- ]?[15]|accura|error|year|acc@|epoch|connected to|trainable\Z|\bid\b|\bidx\b|latency|\btime\b|\bms\b",
        LABEL,
    ),
    (r"(?:patch|kernel|filter)[^/]*/\s*stride|details|configuration", DETAILS),
    (r"calculat|formula|derivation|computation|how", _DERIVATION),
    (r"receptive|\brf\b", "receptive_field"),
    (r"non[- ]?trainable", "non_trainable"),
    (r"trainable param", "trainable"),
    (r"mult[- ]?adds?|\b[kmgt]?macs?\b|multiply|multiplications", "macs"),
    (r"[kmgt]?flops?\b|\bops\b", "flops"),
    (r"activation.*(?:memory|mb|bytes|size)|feature.*mem|memory", "activation_bytes"),
    (r"param.*(?:memory|mb\b|bytes)|weight.*(?:mb\b|bytes)|\bsize\s*\(m", "weight_bytes"),
    (r"param|#\s*weights|weights", "params"),
    (r"kernel|filter size|window|\bk\b", "kernel_size"),
    (r"stride|\bs\b", "stride"),
    (r"padding|\bpad\b|\bp\b", "padding"),
    (r"in(?:put)?[- _]*(?:channels|ch\b|depth)|\bc_?in\b", "in_channels"),
    (r"in(?:put)?[- _]*(?:shape|size|map)", "input_shape"),
    (r"filters|out(?:put)?[- _]*(?:channels|ch\b)|neurons|channels|units|\bc_?out\b|maps\b", "out_channels"),
    (r"output|shape|feature map|\bmap\b|volume|size", "output_shape"),
    (r"activations\b|neurons total|values", "activations"),
    (r"activation|type|operation|\bop\b|kind", "type"),
    (r"depth\b", "depth"),
    (r"layer|name|block|module|component|stage|network|model|architecture|variant", LAYER),
)
_SCALES = (
    (r"\bk\b|thousand|10\^3", "K"),
    (r"\bm\b|mil|10\^6|^m(?=flops|macs)", "M"),
    (r"\bg\b|bil|10\^9|^g(?=flops|macs)", "G"),
)
_BYTES = re.compile(r"\b(KB|MB|GB|KiB|MiB|GiB)\b", re.IGNORECASE)
_BYTE_UNITS = ("B", "BYTES", "KB", "MB", "GB", "KIB", "MIB", "GIB")
#: what a column states whose figures are bytes
_IN_BYTES = {
    "params": "weight_bytes",
    "weights": "weight_bytes",
    "activations": "activation_bytes",
    "output_shape": "activation_bytes",
    "type": "activation_bytes",
}
_PERCENT = re.compile(r"%|per ?cent|share|\bfraction of")
_WIDEST = 65_536  # a map's side or channels
#: words before a figure beside a table → its quantity
_TOTALS: tuple[tuple[str, str], ...] = (
    (r"non[- ]?trainable param", "non_trainable"),
    (r"trainable param", "trainable"),
    (r"params size", "weight_bytes"),
    (r"forward/backward", "forward_backward_bytes"),
    (r"mult[- ]?adds|macs", "macs"),
    (r"flops", "flops"),
    (r"param|weights", "params"),
)
_EMPTY = ("", "-", "–", "—", "--", "n/a", "N/A", "(recursive)")
_NOWHERE = -1
_TRIVIAL = 100  # parameters that any network's layer may have
_TELLING = (
    "output_shape",
    "params",
    "macs",
    "out_channels",
    "kernel_size",
)  # columns that tell a row's layer
_FEWEST_ALIKE = 2  # figures in common that name a network
_SKIPPED_ROW = 3.0  # what it costs to leave a row without a layer
_NO_MATCH = -1e9
#: kinds of rows that are not in the network where it is made otherwise
_PASSIVE = ("input", "inputlayer", "output", "identity", "flatten", "dropout")


@dataclass
class Aligned:
    """A ledger's text, and what of the pasted text it leaves out."""

    text: str
    model: str
    left_out: list[str] = field(default_factory=list)


def ledger_of(
    text: str, *, model: str = "", source: str = "a pasted table", graph: Graph | None = None
) -> Aligned:
    """The ledger of a pasted text about `model`, whose `graph` may be given.

    Raises ArchinspectError where there is no table, or no network is recognised.
    """
    found = tables(text)
    if not found:
        raise fail(
            "A107",
            "no table was found in the text",
            help="paste a printed summary, Markdown, CSV, TSV, LaTeX, HTML, or columns parted by two spaces or more",
        )
    left: list[str] = []
    parts = [_Columns(table, left) for table in found]
    name = model or _network(text, parts)
    lines = [f"source: {json.dumps(source, ensure_ascii=False)}"]
    if name:
        lines.append(f"model: {json.dumps(name)}")
    lines.append("sections:")
    if graph is None and name:
        graph = load_graph(name)
    seen: set[str] = set()
    for number, part in enumerate(parts, 1):
        lines += [
            f'  - section: "{number}"',
            f"    title: {json.dumps('Table ' + str(number))}",
            "    items:",
        ]
        lines += part.written(f"table{number}", graph, seen)
    return Aligned("\n".join(lines) + "\n", name, left)


class _Columns:
    """A pasted table whose columns are understood."""

    def __init__(self, table: Pasted, left: list[str]) -> None:
        self.table = table
        self.left = left
        self.roles = [self._role(index) for index in range(len(table.headings))]
        if LAYER not in self.roles:
            names = [i for i, role in enumerate(self.roles) if role in (LABEL, "type", "output_shape")]
            words = [i for i in names if not any(_number(row[i]) for row in table.rows)]
            self.roles[words[0] if words else 0] = LAYER
        first = self.roles.index(LAYER)
        self.roles = [LABEL if r == LAYER and i != first else r for i, r in enumerate(self.roles)]
        self.cells = [[self._cell(i, cell) for i, cell in enumerate(row)] for row in table.rows]

    @property
    def labels(self) -> list[str]:
        index = self.roles.index(LAYER)
        return [row[index] for row in self.cells]

    def values(self, quantity: str) -> list[Fraction]:
        """The figures of a quantity's columns."""
        found = []
        for index, role in enumerate(self.roles):
            if role == quantity:
                found += [n.value for row in self.cells if (n := _number(row[index])) and n.form == "number"]
        return found

    def _role(self, index: int) -> str:
        """What a column states, by its heading and by its cells, which have the last word."""
        heading = self.table.headings[index].lower().strip()
        cells = [row[index] for row in self.table.rows if row[index] not in _EMPTY]
        numbers = [n for n in map(_number, cells) if n]
        role = next((role for pattern, role in _HEADINGS if re.search(pattern, heading)), LABEL)
        if not cells:
            return LABEL
        if _PERCENT.search(heading) or (numbers and all(n.unit == "%" for n in numbers)):
            share = f"{role}_share"
            return share if share in SHARES and numbers else LABEL
        in_bytes = sum(n.unit.upper() in _BYTE_UNITS for n in numbers) * 2 > len(numbers)
        if in_bytes and not role.endswith("bytes"):
            return _IN_BYTES.get(role, LABEL)
        return self._fitting(role, heading, cells, numbers)

    def _fitting(self, role: str, heading: str, cells: list[str], numbers: list[Printed]) -> str:
        """The role that a heading names, where the cells can be that."""
        shapes = [n for n in numbers if n.form in ("shape", "product")]
        if role in SIZES:
            if not numbers:
                return "type" if role == "activations" and any(map(kinds, cells)) else LABEL
            return "output_shape" if len(shapes) * 2 > len(numbers) else role
        if role == "type":
            if numbers:
                return "activations" if heading.startswith("activation") else LABEL
            return "type" if any(map(kinds, cells)) else LABEL
        if role in ("output_shape", "input_shape"):
            if numbers and not shapes and max(n.value for n in numbers) > _WIDEST:
                return "activations" if role == "output_shape" else LABEL
            return role if numbers else LABEL
        if role == LAYER:
            return LABEL if len(numbers) == len(cells) else role
        if role in ("kernel_size", "out_channels") and len(numbers) < len(cells):
            return DETAILS if any(re.search(r"\d+\s*[x×]\s*\d+", cell) for cell in cells) else role
        if role == LABEL and not heading and len(shapes) == len(cells):
            return "output_shape"
        return role

    def _cell(self, index: int, cell: str) -> str:
        """A cell with the unit that its heading has."""
        role, heading = self.roles[index], self.table.headings[index]
        plain = cell.replace("|", "/").strip()
        if role not in SIZES or plain in _EMPTY:
            return "-" if plain in _EMPTY else plain
        number = _number(plain)
        if number is None or number.form != "number" or number.unit:
            return plain
        unit = _BYTES.search(heading)
        if role.endswith("bytes") and unit:
            return f"{plain} {unit[1]}"
        folded = heading.lower().replace("⁶", "^6").replace("⁹", "^9").replace("³", "^3")
        scale = next((s for pattern, s in _SCALES if re.search(pattern, folded)), "")
        return f"{plain}{scale}" if scale else plain

    def written(self, id: str, graph: Graph | None, seen: set[str]) -> list[str]:
        """The table as items of a section, and the totals around it as claims."""
        headings = _unique(self.table.headings)
        columns = dict(zip(headings, self.roles, strict=True))
        lines = [
            f"      - table: {id}",
            f"        columns: {json.dumps(columns, ensure_ascii=False)}",
            "        rows:",
        ]
        models = [_named(label) for label in self.labels]
        if sum(map(bool, models)) * 2 > len(models):
            places: list[dict[str, str] | None] = [
                {"model": name, "layer": "."} if name else None for name in models
            ]
        elif graph is None:
            raise fail("A109", "no network is recognised", help="name it: --model MODEL")
        else:
            places = self._places(graph)
        count = 0
        for row, label, place in zip(self.cells, self.labels, places, strict=True):
            if place is None:
                if any(
                    re.search(r"\d", cell)
                    for i, cell in enumerate(row)
                    if self.roles[i] not in (LABEL, LAYER)
                ):
                    self.left.append(" | ".join(row))
                continue
            cells = [self._stated(role, cell, label) for role, cell in zip(self.roles, row, strict=True)]
            count += 1
            entry = {"row": " | ".join(cells), "id": f"row{count}", **place}
            lines.append(f"          - {json.dumps(entry, ensure_ascii=False)}")
        if not count:
            lines = []
        claims = []
        for words, figure in totals(self.table.text):
            quantity = next((q for pattern, q in _TOTALS if re.search(pattern, words.lower())), "")
            unit = re.search(
                r"\((?:units\.)?(KB|MB|GB|[KMGT](?=\W|mega|giga|kilo|ega|iga|ilo|illi))|\(units\.(B)",
                words,
                re.I,
            )
            text = figure + (
                f" {(unit[1] or 'G').upper()}" if unit and not re.search(r"[A-Za-z)]\Z", figure) else ""
            )
            key = f"{quantity} {text}"
            if not quantity or not _number(text) or graph is None:
                self.left.append(f"{words}: {figure}")
            elif key not in seen:
                seen.add(key)
                claim = {"id": f"{quantity}{len(seen)}", "stated": text, "quantity": quantity}
                if re.search("mult-adds", words, re.IGNORECASE):
                    claim["counts"] = "torchinfo"
                claims.append(f"          - {json.dumps(claim, ensure_ascii=False)}")
        if claims:
            quote = json.dumps("; ".join(f"{w}: {f}" for w, f in totals(self.table.text)), ensure_ascii=False)
            lines += [f"      - quote: {quote}", "        claims:", *claims]
        return lines or ["      []"]

    def _stated(self, role: str, cell: str, label: str) -> str:
        """The cell, or nothing where it is no number that can be read."""
        if role in (LABEL, LAYER, _DERIVATION):
            return cell
        if role == "type":
            return cell if kinds(cell) else "-"
        if "=" in cell and role in SIZES and _number(cell.rpartition("=")[2]) is not None:
            return cell  # a derivation, and what it gives
        if cell != "-" and _number(cell) is None:
            self.left.append(f"{label}: {cell}")
            return "-"
        return cell

    def _places(self, graph: Graph) -> list[dict[str, str] | None]:
        """For each row the layer, or the scope of layers, that it speaks of."""
        rows = [_Row(self.roles, cells, label) for cells, label in zip(self.cells, self.labels, strict=True)]
        own = _folded(graph.name).replace(".", "")
        for row in rows:
            row.total = row.total or row.name.replace(".", "") == own
        named = _by_name(rows, graph)
        scopes = any(not row.kinds for index, row in enumerate(rows) if index not in named)
        parts = _parts(graph, scopes=scopes or any(path not in graph.by_name for path in named.values()))
        free = [index for index, row in enumerate(rows) if not row.total]
        if all(index in named for index in free):  # the table has the network's own paths
            return [{"layer": named[i]} if i in named else {"layer": "."} for i in range(len(rows))]
        scores = [[_score(rows[i], part, named.get(i, "")) for part in parts] for i in free]
        places: list[dict[str, str] | None] = [{"layer": "."} if row.total else None for row in rows]
        for index, at in zip(free, _sequence(scores), strict=True):
            if at != _NOWHERE:
                places[index] = {"layer": parts[at].path}
            elif index in named:  # out of order: a table may be sorted
                places[index] = {"layer": named[index]}
        return places


class _Row:
    """What a row says of its layer."""

    def __init__(self, roles: Sequence[str], cells: Sequence[str], label: str) -> None:
        self.path = _bare(label)
        self.name = _folded(self.path)
        self.total = bool(re.match(r"(grand )?totals?\b|sum\b|all\b", label.lower()))
        said = [
            kind
            for role, cell in zip(roles, cells, strict=True)
            if role in ("type", LAYER)
            for kind in kinds(cell.replace("_", " "))
        ]
        self.kinds = said
        self.numbers: dict[str, Printed] = {}
        for role, cell in zip(roles, cells, strict=True):
            number = _number(cell) if role in _TELLING else None
            if number is not None:
                self.numbers.setdefault(role, number)


class _Part:
    """A layer, or a scope of layers, and what a row could say of it."""

    def __init__(self, path: str, nodes: tuple[Node, ...]) -> None:
        last = nodes[-1]
        self.path = path
        self.kind = kind_of(last.op.type) if len(nodes) == 1 and last.name == path else ""
        self.params = params(nodes)
        self.macs = size(nodes, "macs") or 0
        self.shape = sorted(v for v in last.output_shape[1:] if v != 1)
        self.width = last.output_shape[1] if len(last.output_shape) > 2 else last.output_shape[-1]
        own = getattr(last.op, "kernel_size", None)
        sides = own if isinstance(own, tuple) else (own,)
        self.kernel = sides[0] if sides else None


def _parts(graph: Graph, *, scopes: bool) -> list[_Part]:
    """The layers, and the scopes before theirs, in the order in which a summary prints them."""
    if not scopes:
        return [_Part(node.name, (node,)) for node in graph.layers]
    inside: dict[str, list[Node]] = {}
    for node in graph.layers:
        names = node.name.split(".")
        for end in range(1, len(names) + 1):
            inside.setdefault(".".join(names[:end]), []).append(node)
    return [_Part(path, tuple(nodes)) for path, nodes in inside.items()]


def _by_name(rows: Sequence[_Row], graph: Graph) -> dict[int, str]:
    """The layers and scopes that rows name, where only one row has that name."""
    exact = set(all_paths(graph))
    folded = {_folded(path): path for path in exact}
    paths = [row.path if row.path in exact else folded.get(row.name, "") for row in rows]
    often = Counter(paths)
    return {
        index: _meant(row, path, graph)
        for index, (row, path) in enumerate(zip(rows, paths, strict=True))
        if path and often[path] == 1 and not row.total
    }


def _meant(row: _Row, path: str, graph: Graph) -> str:
    """The convolution of a scope that has a normalisation besides, where the row does not count that."""
    if path in graph.by_name or "params" not in row.numbers:
        return path
    inside = select(graph, (path,))
    own = row.numbers["params"].agrees(params(inside.nodes))
    return path if own or len(inside.weighted) != 1 else inside.weighted[0].name


def _score(row: _Row, part: _Part, named: str) -> float:
    """How well a row suits a part of the network."""
    if named:
        return 20.0 if named == part.path else _NO_MATCH
    score = 0.0
    if row.kinds:
        if row.kinds[0].replace("depthwise ", "") != part.kind:
            return _NO_MATCH
        score += 3
    elif row.name in _PASSIVE:
        return _NO_MATCH
    elif not part.kind:  # a scope is known by its figures
        number = row.numbers.get("params")
        if number is None or not part.params:
            return _NO_MATCH
        if not (number.value == part.params if "," in number.text else number.agrees(part.params)):
            return _NO_MATCH
        score += 1
    for role, number in row.numbers.items():
        if role == "output_shape":
            figures = sorted(int(v) for v in number.values if v != 1)
            score += 2 if figures == part.shape else -1
        elif role in ("params", "macs"):
            mine = part.params if role == "params" else part.macs
            score += 2 if number.agrees(mine) else (-2 if bool(mine) != bool(number.value) else -0.5)
        elif role == "out_channels":
            score += 1 if number.value == part.width else -0.5
        elif role == "kernel_size":
            score += 1 if part.kernel == number.values[0] else -0.5
    return score if score > 0 else _NO_MATCH


def _sequence(scores: Sequence[Sequence[float]]) -> list[int]:
    """The best alignment in order: for each row the index of its layer, or `_NOWHERE`."""
    rows, layers = len(scores), len(scores[0]) if scores else 0
    best = [[0.0] * (layers + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(layers, -1, -1):
            best[i][j] = best[i + 1][j] - _SKIPPED_ROW
            if j < layers:
                best[i][j] = max(best[i][j], best[i][j + 1], best[i + 1][j + 1] + scores[i][j])
    found, i, j = [], 0, 0
    while i < rows:
        if j < layers and best[i][j] == best[i + 1][j + 1] + scores[i][j]:
            found.append(j)
            i, j = i + 1, j + 1
        elif j < layers and best[i][j] == best[i][j + 1]:
            j += 1
        else:
            found.append(_NOWHERE)
            i += 1
    return found


def _number(cell: str) -> Printed | None:
    if not re.search(r"\d", cell):
        return None
    try:
        return parse(cell)
    except NotANumberError:
        return None


def _unique(headings: Sequence[str]) -> list[str]:
    found: list[str] = []
    for number, heading in enumerate(headings, 1):
        name = heading or f"column {number}"
        found.append(f"{name} {number}" if name in found else name)
    return found


def _bare(label: str) -> str:
    """`conv1` of `conv1 (Conv2D)`, nothing of torchinfo's `Conv2d: 1-1` and torchsummary's `Conv2d-1`."""
    inside = re.match(
        r"[A-Z]\w*\s*\((\w[\w.]*)\)\s*:?\s*(\d+(-\d+)?)?\Z", label
    )  # torchinfo's Conv2d (conv1)
    if inside is not None and not kinds(inside[1].replace("_", " ")):
        return inside[1]
    plain = re.sub(r"\(.*?\)", "", label)
    return re.sub(r":\s*\d+-\d+.*|\A[A-Z]\w*-\d+\s*\Z", "", plain).strip()


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.lower())


def _named(label: str) -> str:
    """The shipped network that a label names: `ResNet-50`, `VGG16 (D)`, `Inception v3`."""
    wanted = re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", label).lower())
    names = {re.sub(r"[^a-z0-9]", "", name): name for name in shipped()}
    return names.get(wanted, "")


def _network(text: str, parts: Sequence[_Columns]) -> str:
    """The shipped network that a text names, or whose figures it prints; "" where its rows are networks themselves."""
    if all(sum(bool(_named(label)) for label in part.labels) * 2 > len(part.labels) for part in parts):
        return ""
    words = re.sub(r"[^a-z0-9]+", "", text.lower())
    names = sorted(shipped(), key=len, reverse=True)
    printed = [name for name in names if re.sub(r"[^a-z0-9]", "", name) in words]
    figures = Counter(int(value) for part in parts for value in part.values("params") if value > _TRIVIAL)

    def alike(name: str) -> float:
        """How many of the figures are the network's, and of its own are printed."""
        graph = load_graph(name)
        own = Counter(mine for node in graph.layers if (mine := params((node,))) > _TRIVIAL)
        common = (figures & own).total()
        whole = params(graph.layers) in figures
        return (common * 2 / max(1, figures.total() + own.total()) if common >= _FEWEST_ALIKE else 0) + whole

    kin = [name for name in names if any(name.startswith(f"{other}_") for other in printed)]
    ranked = sorted(
        ((alike(name), name in printed, len(name), name) for name in printed + kin or names), reverse=True
    )
    if ranked and (ranked[0][0] > 0 or printed):
        return ranked[0][3]
    raise fail(
        "A109",
        "the text names no network, and its figures are no shipped network's",
        help="name it: --model MODEL",
    )
