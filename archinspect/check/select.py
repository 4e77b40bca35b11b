"""Which layers a claim speaks of.

A selector is a path of the network, `inception_3a.branch2`; `*` stands for any one name.  A path of a scope means all
its layers.  `:conv2d` keeps the layers of one type, `#2` only the second layer that has weights.  `?Conv1_1` is a name
in print, which is looked up without regard to case and punctuation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import suggestion
from ..graph import Graph, Node

_SELECTOR = re.compile(r"(?P<path>[^:#]*)(?::(?P<op>\w+))?(?:#(?P<number>\d+))?\Z")


class NoSuchLayerError(ValueError):
    """A selector that finds nothing; `help` has the nearest name."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True)
class Selection:
    """What selectors found: paths of layers or scopes, and the layers themselves in execution order."""

    paths: tuple[str, ...]
    nodes: tuple[Node, ...]
    whole: bool = False

    @property
    def weighted(self) -> tuple[Node, ...]:
        """Convolutions and fully connected layers, recurrently: what has a weight of two dimensions or more."""
        return tuple(node for node in self.nodes if has_weights(node))


def has_weights(node: Node) -> bool:
    return any(len(shape) >= 2 for shape in node.weights.values())


def select(graph: Graph, selectors: tuple[str, ...]) -> Selection:
    """The layers that the selectors name; all of them for no selector.  Raises NoSuchLayerError."""
    if not selectors:
        return Selection(("",), graph.layers, whole=True)
    paths: dict[str, None] = {}
    nodes: dict[str, Node] = {}
    for selector in selectors:
        found = _select(graph, selector)
        paths.update(dict.fromkeys(found.paths))
        nodes.update((node.name, node) for node in found.nodes)
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    return Selection(tuple(paths), tuple(sorted(nodes.values(), key=lambda node: order[node.name])))


def _select(graph: Graph, selector: str) -> Selection:
    if selector.startswith("?"):
        return _named(graph, selector[1:])
    if graph.index.get(selector, -1) >= graph.inputs:
        return Selection((selector,), (graph.by_name[selector],))
    match = _SELECTOR.match(selector)
    if match is None:
        raise NoSuchLayerError(f"'{selector}' is no selector", "write path, path:op or path#2")
    paths = [path for path in all_paths(graph) if _matches(path, match["path"])]
    nodes = [node for node in graph.layers if any(_inside(node.name, path) for path in paths)]
    if match["op"]:
        nodes = [node for node in nodes if node.op.type == match["op"]]
        paths = [node.name for node in nodes]
    if match["number"]:
        index = int(match["number"]) - 1
        nodes = [node for node in nodes if has_weights(node)][index : index + 1]
        paths = [node.name for node in nodes]
    if not nodes:
        help = suggestion(match["path"], all_paths(graph))
        raise NoSuchLayerError(f"'{selector}' names no layer of {graph.name}", help)
    return Selection(tuple(paths), tuple(nodes))


def _named(graph: Graph, label: str) -> Selection:
    """The layer or scope that a printed label means: `Conv1_1`, `MaxPool1`, `FC-6`."""
    wanted = _folded(label)
    short = _folded(re.sub(r"\(.*?\)", "", label))
    for path in all_paths(graph):
        if _folded(path) in (wanted, short):
            return _select(graph, path)
    raise NoSuchLayerError(
        f"'{label}' names no layer of {graph.name}",
        suggestion(short, all_paths(graph), otherwise="write the row as '- path: text of the row'"),
    )


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.lower())


def all_paths(graph: Graph) -> tuple[str, ...]:
    """Every scope and layer, in reading order."""
    paths: dict[str, None] = {}
    for node in graph.layers:
        names = node.name.split(".")
        for end in range(1, len(names) + 1):
            paths[".".join(names[:end])] = None
    return tuple(paths)


def _matches(path: str, pattern: str) -> bool:
    names, parts = path.split("."), pattern.split(".")
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))


def _inside(name: str, path: str) -> bool:
    return name == path or name.startswith(path + ".")
