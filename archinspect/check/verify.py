"""`verify`: our two engines, and other people's tools, must agree on a network to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import fail, suggestion
from ..graph import Graph, Node, refuse_parameters_only
from .batch import with_batch
from .conventions import CONVENTIONS, OURS, Counts, count
from .own_module import check_tool, is_own_module, verify_module, verify_program
from .verification import EXECUTION, Figures, LayerCheck, Mismatch, ToolCheck, Verification

if TYPE_CHECKING:
    from torch import fx

    from .witnesses import Observation, State, Testimony


def verify(
    graph: Graph,
    batches: Sequence[int] = (1, 4),
    *,
    witnesses: Iterable[str] | None = None,
    module: fx.GraphModule | None = None,
) -> Verification:
    """Hold the closed form against the real module, layer by layer, and against the tools named in `witnesses`.

    The module of a spec is built from the graph unless one is given; it is only ever copied, never run or changed.  A
    graph that was captured from a module is executed beside that module (`own_module`).  `witnesses` are names of
    conventions, all of them unless given.  Raises ArchinspectError: A404 without torch, A403 for a name that is no
    convention, and for a graph of which there is no module to run.
    """
    refuse_parameters_only(graph, "a verification")
    names = tuple(CONVENTIONS if witnesses is None else witnesses)
    for name in names:
        if name not in CONVENTIONS:
            raise fail(
                "A403",
                f"no convention is called '{name}'",
                notes=[f"known: {', '.join(CONVENTIONS)}"],
                help=suggestion(name, CONVENTIONS, otherwise="choose one of these"),
            )
    batches = tuple(dict.fromkeys(batches))
    if not batches or min(batches) < 1:
        raise fail("A403", "verification needs batches of 1 or more", notes=[f"got {list(batches)}"])
    refuse_parameters_only(graph, "a verification")
    if find_spec("torch") is None:
        raise fail("A404", "verifying needs torch", help="pip install 'archinspect[verify]'")
    if module is None and graph.source is not None:
        if graph.source.kind == "exported":
            return verify_program(graph, batches)
        if not is_own_module(graph):
            raise fail(
                "A403",
                f"'{graph.name}' has no module to verify it against: it was read from a file",
                notes=["verify runs the network's own module, and other tools on it"],
                help="give the module that the file was exported from, such as net.py:Net",
            )
        return verify_module(graph, batches, names)
    from .witnesses import TORCH_VERSION, hear, observe, state

    if module is None:
        from ..pytorch import build

        module = build(graph, device="meta")
    held = state(module)
    predicted = _follows_from_rules(graph)
    layers: list[LayerCheck] = []
    tools: list[ToolCheck] = []
    mismatches: list[Mismatch] = []
    for batch in batches:
        network = with_batch(graph, batch)
        seen = observe(module, network)
        checks = [_check_layer(node, seen, held) for node in network.layers]
        layers = layers or checks
        mismatches += _of_layers(checks, seen, batch)
        mismatches += _of_network(network, seen, held, batch)
        for name in names if predicted else ():
            testimony = hear(name, module, network.input_shape)
            counts = count(network, name)
            found = tuple(_of_tool(testimony, counts, batch))
            mismatches += found
            tools.append(check_tool(testimony, counts, batch, found))
    if names and not predicted:
        found_by_capture = verify_module(captured(module, graph), batches, names)
        tools += found_by_capture.tools
        mismatches += found_by_capture.mismatches
    first = with_batch(graph, batches[0])
    return Verification(
        graph.name,
        first.input_shape,
        tuple(batches),
        TORCH_VERSION,
        tuple(layers),
        tuple(tools),
        count(first, OURS.name),
        _unrepeated(mismatches),
    )


def _follows_from_rules(graph: Graph) -> bool:
    """Whether what other tools say of the built module follows from our layers, and need not be looked for in it."""
    return all(node.op.predicted and node.outputs is None for node in graph.nodes)


def captured(module: fx.GraphModule, graph: Graph) -> Graph:
    """The graph of the built module, as a user's own would be captured."""
    from ..frontends.torch import load_module
    from .witnesses import examples

    return load_module(module, examples(graph))


def _check_layer(node: Node, seen: Observation, held: State) -> LayerCheck:
    cost = node.cost
    expected = Figures(node.output_shape, node.weights, node.buffers, None if cost is None else cost.macs)
    step = seen.steps.get(node.name)
    if step is None:
        return LayerCheck(node.name, node.op.type, expected, None, (EXECUTION,))
    params, buffers = held.of(node.module or node.name)
    found = Figures(step.output_shape, params, buffers, step.macs)
    differing = tuple(
        quantity
        for quantity in ("output_shape", "params", "buffers", "macs")
        if getattr(expected, quantity) != getattr(found, quantity)
        and not (quantity == "macs" and (expected.macs is None or not node.op.seen_by_torch))
    )
    return LayerCheck(node.name, node.op.type, expected, found, differing)


def _of_layers(checks: Iterable[LayerCheck], seen: Observation, batch: int) -> Iterator[Mismatch]:
    """In the order of execution, so that what is wrong comes before what follows from it."""
    failure = Mismatch(seen.failed_at, EXECUTION, None, f"the real module fails: {seen.failure}", batch)
    checks = list(checks)
    for check in checks:
        if seen.failure and check.name == seen.failed_at:
            yield failure
        for quantity in check.differing:
            if check.found is None:
                if not seen.failure:
                    yield Mismatch(check.name, EXECUTION, None, "the real module has no such layer", batch)
                continue
            yield Mismatch(
                check.name,
                _QUANTITIES[quantity],
                getattr(check.expected, quantity),
                getattr(check.found, quantity),
                batch,
            )
    if seen.failure and all(check.name != seen.failed_at for check in checks):
        yield failure


_QUANTITIES = {
    "output_shape": "output shape",
    "params": "parameters",
    "buffers": "buffers",
    "macs": "MACs",
}


def _of_network(graph: Graph, seen: Observation, held: State, batch: int) -> Iterator[Mismatch]:
    """What belongs to no layer: outputs, and surplus state or steps."""
    ports = graph.output_ports or (0,) * len(graph.outputs)
    places = zip(graph.outputs, ports, strict=True)
    outputs = tuple(graph.nodes[index].values[port].shape for index, port in places)
    if not seen.failure and outputs != seen.outputs:
        yield Mismatch("", "outputs", outputs, seen.outputs, batch)
    for name in seen.steps:
        if name not in graph.by_name:
            yield Mismatch(
                name, EXECUTION, None, "the real module runs a layer that the spec does not have", batch
            )
    owned = {f"{node.name}.{name}" for node in graph.layers for name in (*node.weights, *node.buffers)}
    layers = tuple(f"{node.name}." for node in graph.layers)
    for name, shape in (*held.params.items(), *held.buffers.items()):
        if name not in owned and not name.startswith(layers):  # a layer's own surplus is told there
            yield Mismatch(name, "parameters", None, shape, batch)


def _of_tool(testimony: Testimony, counts: Counts, batch: int) -> Iterator[Mismatch]:
    """Where a tool's figures are not what its convention predicts; the layers to blame come first."""
    if testimony.status != "ran":
        return
    pairs: list[tuple[str, Any, Any]] = [(counts.unit, counts.total, testimony.total)]
    if testimony.params is not None:
        pairs.append(("parameters", counts.params, testimony.params))
    if testimony.unsupported is not None:
        pairs.append(("unsupported operators", _sorted(counts.unknown), _sorted(testimony.unsupported)))
    differing = [pair for pair in pairs if pair[1] != pair[2]]
    if differing and differing[0][0] == counts.unit:
        factor = counts.convention.per_mac
        for row in counts.rows:
            told = testimony.layer(row.name)
            if told is not None and told != factor * row.count:
                yield Mismatch(row.name, counts.unit, factor * row.count, told, batch, testimony.tool)
    for quantity, expected, found in differing:
        yield Mismatch("", quantity, expected, found, batch, testimony.tool)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _unrepeated(mismatches: Iterable[Mismatch]) -> tuple[Mismatch, ...]:
    """Parameters do not depend on the batch: what differs in them is told once."""
    told: dict[tuple[str, str, str], Mismatch] = {}
    kept: list[Mismatch] = []
    for mismatch in mismatches:
        if mismatch.quantity in ("parameters", "buffers"):
            key = (mismatch.layer, mismatch.quantity, mismatch.witness)
            if key in told:
                continue
            told[key] = mismatch
        kept.append(mismatch)
    return tuple(kept)
