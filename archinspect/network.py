"""`archinspect.load(...)`: a network whose methods are the commands, under the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .call_errors import in_words_of_call
from .errors import fail
from .frontends import models
from .graph import Graph

if TYPE_CHECKING:
    from .analysis import Analysis
    from .analysis.compare import Comparison
    from .analysis.rewrites import Substitution
    from .check.verification import Verification
    from .diagram.picture import Picture
    from .frontends.spec.load import InputSize
    from .latency.predict import Prediction
    from .latency.results import Measurement


def load(
    model: Any,
    *example_inputs: Any,
    input: InputSize | Sequence[str] | None = None,
    real: bool = False,
    partial: bool = False,
    **arguments: Any,
) -> Network:
    """The network that `model` names or is: whatever the commands take as MODEL, a path, or an object.

    - A shipped name, a path to a spec, a one-line network: `input` overrides its input size ("3x224x224", or a shape,
      batch first), keywords override the spec's arguments: `load("resnet50", num_classes=10)`.
    - An `nn.Module`, with what its forward takes, tensors or shapes: `load(net, (1, 3, 224, 224))`,
      `load(net, input_ids=torch.ones(1, 128, dtype=torch.long))`.  The module is left as it was.
    - A module by name, built without weights: `load("net.py:Net", (1, 3, 32, 32))`, `load("timm:resnet50")`.
      Keywords go to what makes it.
    - An ONNX file or `ModelProto`, an exported program, a checkpoint.

    `real` runs a module's forward on small real tensors, where it looks at values; `partial` keeps what came before an
    exception.  Raises ArchinspectError with every error that was found.
    """
    given: Any = example_inputs
    if input is not None:
        given = [*example_inputs, *([input] if isinstance(input, (str, int, tuple)) else input)]
    options: dict[str, Any] = {"input": input, "real": real, "partial": partial}
    written = {name: value for name, value in options.items() if value}
    with in_words_of_call("archinspect.load", (model, *example_inputs), {**arguments, **written}):
        return Network(models.load(model, inputs=given, arguments=arguments, real=real, partial=partial))


def from_text(
    text: str,
    *,
    file: str = "<text>",
    input: InputSize | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Network:
    """A network from the text of a spec; `file` is the name that errors show.  Raises ArchinspectError."""
    from .frontends.spec.load import lay_out, read_text

    written = {"arguments": arguments, "input": input}
    with in_words_of_call(
        "archinspect.from_text", (text,), {k: v for k, v in written.items() if v is not None}
    ):
        return Network(lay_out(read_text(text, file), arguments, input))


@dataclass(frozen=True)
class Network:
    """A network with every shape known.  Its methods are the commands; nothing is computed before it is asked for."""

    graph: Graph

    @property
    def name(self) -> str:
        return self.graph.name

    def analyse(self, depth: int | None = None) -> Analysis:
        """Parameters, shapes, MACs, FLOPs, memory and receptive fields per layer, or per scope `depth` levels down."""
        from .analysis import analyse

        analysis = analyse(self.graph)
        return analysis if depth is None else analysis.fold(depth)

    def build(self, **options: Any) -> Any:
        """The network as a `torch.fx.GraphModule`; see `archinspect.pytorch.build` for the options."""
        from .pytorch import build

        return build(self.graph, **options)

    def export(self) -> str:
        """Python source that builds the same module with torch alone."""
        from .pytorch import export_source

        source: str = export_source(self.graph)
        return source

    def verify(self, batches: tuple[int, ...] = (1, 4)) -> Verification:
        """Our figures against the real module and other tools."""
        from .check.verify import verify
        from .report.shown import shown_verification

        return shown_verification(verify(self.graph, batches))

    def draw(self, **options: Any) -> Picture:
        """A picture: a notebook shows it, `.save(FILE)` writes it; options as in `archinspect.diagram.draw`."""
        from .diagram import draw

        return draw(self.graph, **options)

    def measure(
        self,
        *,
        device: str | None = None,
        batch: int | Sequence[int] | None = None,
        dtype: str | Sequence[str] = "fp32",
        mode: str | Sequence[str] = "latency",
        layers: bool = True,
        time_s: float = 20.0,
        **options: Any,
    ) -> Measurement:
        """Timed forward passes, whole and per layer; `options` are the fields of `archinspect.latency.plan.Options`.

        Without `batch` the network is timed at that of its example inputs, a spec at 1.
        `network.measure(device="cpu", batch=[1, 8], threads=1)`.  Raises ArchinspectError (A404) without torch.
        """
        _need("torch", "measuring", "torch")
        from .latency.measure import measure
        from .latency.plan import Options

        return measure(
            self.graph,
            device=device,
            batch=batch,
            dtype=dtype,
            mode=mode,
            layers=layers,
            time_s=time_s,
            options=Options(**options),
        )

    def predict(self, device: str, batch: int | None = None, dtype: str = "fp32") -> Prediction:
        """How long a forward pass should take on a device of the table, from the closed form alone."""
        from .latency.ceilings import precision
        from .latency.devices import device as known
        from .latency.predict import predict

        return predict(self.graph, known(device), batch, precision(dtype))

    def compare(self, other: Network) -> Comparison:
        """What another network has more or less than this one, layer by layer."""
        from .analysis.compare import compare
        from .report.shown import shown_comparison

        return shown_comparison(compare(self.graph, other.graph))

    def bottleneck(self) -> list[Substitution]:
        """The network in other forms: without its 1×1 reductions, and by every rewrite that finds something in it."""
        from .analysis.rewrites import applicable

        return applicable(self.graph)

    def rewrite(self, name: str, *sites: str, groups: int = 2, mid: str | int = "out") -> Substitution:
        """One named rewrite, at the sites whose paths match, or at all; see docs/bottleneck.md for the names."""
        from .analysis.rewrites import Options, rewrite_called, substitute

        return substitute(self.graph, rewrite_called(name), sites=sites, options=Options(groups, mid))

    def dump(self) -> str:
        """The network as the text of a spec, with every block and argument written out."""
        from .frontends.spec import dump

        return dump(self.graph)

    def to_dict(self) -> dict[str, object]:
        """The analysis as the commands' JSON has it."""
        return self.analyse().to_dict()

    def to_pandas(self) -> Any:
        """The analysis as a `pandas.DataFrame`, one row per layer, indexed by name.

        Raises ArchinspectError (A404) without pandas.
        """
        _need("pandas", "a DataFrame", "pandas")
        return self.analyse().to_pandas()

    def __repr__(self) -> str:
        totals = self.analyse().totals
        if not self.graph.inputs:
            return f"<Network {self.name}: {totals.params:,} parameters, as a checkpoint holds them>"
        shape = "×".join(map(str, self.graph.input_shape))
        return f"<Network {self.name}: input {shape}, {totals.params:,} parameters, {totals.macs:,} MACs>"

    def _repr_html_(self) -> str:
        from .report import layers
        from .report.formats.html import fragment

        table = layers.summary if self.graph.inputs else layers.params  # all that a checkpoint has
        return fragment(table(self.graph, self.analyse()))


def _need(package: str, what: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise fail("A404", f"{what} needs {package}", help=f"pip install 'archinspect[{extra}]'")
