"""The whole program: heading, imports, classes, and a way to try it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ... import __version__
from ...errors import fail
from ...graph import Graph, refuse_parameters_only
from ...neutral import docstring
from ..names import class_name
from . import straight
from .carried import carried
from .classes import Classes, Definition
from .expressions import WIDTH, Expr, Literal, layout
from .forward import forward
from .initialization import method
from .layers import own_class
from .plan import plan
from .straight import is_straight
from .unify import Parameter

_GLOBALS = ("nn", "torch", "F", "math", "Tensor", "OrderedDict", "sequential")


def export_source(graph: Graph, *, weights: str | None = None) -> str:
    """PyTorch source of the network: one class per block, the network's class last, and a few lines to run it.

    The module has the parameter names, shapes and outputs of `build`'s, and needs torch only.  The text is the same for
    equal graphs.  `weights` names a file beside the program that it reads when it is run.
    """
    refuse_parameters_only(graph, "source code")
    root = None if is_straight(graph) else plan(graph)
    if (
        root is None or root.outputs != graph.outputs[1:]
    ):  # an output may be a value on the way to another one
        return _straight(graph, weights)
    own = {own_class(node.op.torch_call(node.input_shapes)) for node in graph.layers} - {""}
    classes = Classes(root, class_name(graph), {*_GLOBALS, *own})
    sources, used = carried(own)
    body = [*sources]
    body += ["\n".join(_class(definition)) for definition in classes.definitions]
    body += ["\n".join(_class(classes.root, graph))]
    text = "\n\n\n".join(body)
    if "sequential(" in text:
        body.insert(0, _SEQUENTIAL)
        text = "\n\n\n".join(body)
    return "\n\n\n".join(
        [_heading(graph) + "\n\n" + _imports(text, used), text, _main(graph, classes.root.name, weights)]
    )


def _straight(graph: Graph, weights: str | None) -> str:
    """The program as one class whose forward has a line for each call."""
    if graph.source is not None:
        raise fail("A403", f"'{graph.name}' was captured, and its source is its own")
    own = {own_class(node.op.torch_call(node.input_shapes)) for node in graph.layers} - {""}
    sources, used = carried(own)
    name = class_name(graph)
    shapes = ["×".join(map(str, node.output_shape[1:])) for node in graph.nodes[: graph.inputs]]
    made = "×".join(map(str, graph.output_shape[1:]))
    starts = method(graph, "initialise")
    lines = [f"class {name}(nn.Module):", f'    """From N×{" and N×".join(shapes)} to N×{made}."""', ""]
    lines += ["    def __init__(self) -> None:", "        super().__init__()", *straight.modules(graph)]
    if starts:
        lines.append("        self.initialise()")
    lines += ["", *straight.forward(graph)]
    if starts:
        lines += ["", *starts]
    body = [*sources, "\n".join(lines)]
    if "scope(" in body[-1]:
        body.insert(0, straight.HELPER)
    head_text = _heading(graph) + "\n\n" + _imports("\n\n\n".join(body), used)
    return "\n\n\n".join([head_text, *body, _main(graph, name, weights)])


_SEQUENTIAL = '''def sequential(**layers: nn.Module) -> nn.Sequential:
    """Layers one after another, by name."""
    return nn.Sequential(OrderedDict(layers))'''


def _heading(graph: Graph) -> str:
    metadata = graph.metadata
    params = sum(parameter.numel for parameter in graph.parameters if not parameter.buffer)
    sizes = " and ".join("×".join(map(str, node.output_shape[1:])) for node in graph.nodes[: graph.inputs])
    facts = [f"Input {sizes}; {params:,} parameters."]
    if graph.arguments:
        facts.append("Arguments: " + ", ".join(f"{k}={v!r}" for k, v in graph.arguments.items()) + ".")
    lines = docstring(f"{metadata.get('title', graph.name)} in PyTorch.", 10_000)
    if "source" in metadata:
        lines += ["", *_wrapped(f"Source: {metadata['source']}.")]
    if "notes" in metadata:
        lines += ["", *_wrapped(str(metadata["notes"]))]
    lines += ["", *(line for fact in facts for line in _wrapped(fact))]
    lines += [f"Written by archinspect {__version__}; needs torch only."]
    return '"""' + "\n".join(lines) + '\n"""'


def _wrapped(text: str) -> list[str]:
    return docstring(text, 99)


def _imports(text: str, used: Iterable[str]) -> str:
    used = set(used)
    lines = ["from __future__ import annotations", ""]
    standard = [line for name, line in _STANDARD.items() if name in used or f"{name}(" in text]
    lines += [*standard, ""] if standard else []
    lines.append("import torch")
    if "F" in used:
        lines.append("import torch.nn.functional as F")
    return "\n".join([*lines, "from torch import Tensor, nn"])


_STANDARD = {"math": "import math", "OrderedDict": "from collections import OrderedDict"}


def _class(definition: Definition, graph: Graph | None = None) -> Iterator[str]:
    """The lines of a class; `graph` is given for the network's own."""
    starts = method(graph, _method(definition)) if graph is not None else []
    yield f"class {definition.name}(nn.Module):"
    if graph is not None:
        shape = "×".join(map(str, graph.input_shape[1:]))
        output = "×".join(map(str, graph.output_shape[1:]))
        yield f'    """From N×{shape} to N×{output}{_sides(definition)}."""'
        yield ""
    elif definition.of_block:
        yield f'    """The block `{definition.of_block}`."""'
        yield ""
    if definition.children or definition.stored:
        yield from _signature(definition.parameters)
        yield "        super().__init__()"
        for name, expr in definition.stored.items():
            yield from layout(f"self.{name} = ", expr, "        ")
        for name, expr in definition.children.items():
            yield from _assignment(name, expr)
        if starts:
            yield f"        self.{_method(definition)}()"
        yield ""
    yield from forward(definition, shapes=graph is not None)
    if starts:
        yield ""
        yield from starts


def _sides(definition: Definition) -> str:
    count = definition.shape.sides
    return f", with {count} side output{'s' * (count > 1)} after it" if count else ""


def _assignment(name: str, expr: Expr) -> list[str]:
    if name.startswith("__"):  # Python would mangle it
        return layout(f'self.add_module("{name}", ', expr, "        ", ")")
    return layout(f"self.{name} = ", expr, "        ")


def _signature(parameters: list[Parameter]) -> list[str]:
    written = []
    for parameter in parameters:
        text = f"{parameter.name}: {parameter.annotation}"
        if parameter.default is not None:
            text += f" = {'None' if parameter.is_module else parameter.default}"
        written.append(text)
    flat = f"    def __init__({', '.join(['self', *written])}) -> None:"
    if len(flat) <= WIDTH:
        return [flat]
    together = f"        {', '.join(['self', *written])}"
    if len(together) <= WIDTH:
        return ["    def __init__(", together, "    ) -> None:"]
    return ["    def __init__(", *(f"        {text}," for text in ["self", *written]), "    ) -> None:"]


def _method(definition: Definition) -> str:
    """The name of the method that starts weights; no submodule may have it."""
    return "initialise" if "initialise" not in definition.children else "initialise_"


def _main(graph: Graph, name: str, weights: str | None) -> str:
    shape = ", ".join(map(str, graph.input_shape))
    show = ['if __name__ == "__main__":', f"    model = {name}().eval()"]
    if weights is not None:
        file = f"Path(__file__).with_name({Literal(weights)})"
        show[1:1] = ["    from pathlib import Path", ""]
        show.append(f"    model.load_state_dict(torch.load({file}, weights_only=True))")
    given = [f"torch.zeros({shape})"]
    if graph.nodes[0].outputs is not None:
        values = [node.values[0] for node in graph.nodes[: graph.inputs]]
        given = [
            f"torch.zeros({', '.join(map(str, v.shape))}{'' if v.dtype == 'float32' else f', dtype=torch.{v.dtype}'})"
            for v in values
        ]
    show += ["    with torch.no_grad():", f"        output = model({', '.join(given)})"]
    if len(graph.outputs) > 1:
        show.append("    print(*(tuple(part.shape) for part in output))")
    else:
        show.append("    print(tuple(output.shape))")
    return "\n".join(show) + "\n"
