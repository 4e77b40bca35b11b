"""`archinspect.load(...)`: a network whose methods are the commands, under the same names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

from .call_errors import in_words_of_call, options_as_arguments
from .errors import fail
from .frontends import models
from .graph import Graph, refuse_parameters_only

if TYPE_CHECKING:
    import pandas
    import torch
    from torch import fx

    from .analysis import Analysis
    from .analysis.compare import Comparison
    from .analysis.plan import Memory
    from .analysis.rewrites import Forms, Substitution
    from .budget import Budget
    from .check.claims import Checked
    from .check.verification import Verification
    from .diagram.picture import Picture
    from .frontends.spec.load import InputSize
    from .latency.predict import Prediction
    from .latency.profile import Profile
    from .latency.results import Measurement
    from .latency.utilisation import ProfilePrediction
    from .pytorch.weights import Weights
    from .report import Report
    from .signal import Modes, Plan, Signal
    from .sweep import Sweep


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
        graph = models.load(model, inputs=given, arguments=arguments, real=real, partial=partial)
    named = isinstance(model, (str, os.PathLike)) and graph.source is None and graph.inputs
    return Network(graph, Origin(model, arguments, given[0] if given else None) if named else None)


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


def timed_graph(graph: Graph) -> Graph:
    """The graph that is timed: itself, or that of the module it builds where its inputs are several or integers.

    A spec of one image is timed layer by layer in the code of its own module; a captured module brings its inputs.
    """
    inputs = [node.values[0] for node in graph.nodes[: graph.inputs]]
    if graph.source is not None or not inputs or [value.dtype for value in inputs] == ["float32"]:
        return graph
    _need("torch", "measuring", "torch")
    from .check.verify import captured
    from .pytorch import build

    return replace(captured(build(graph, device="meta"), graph), name=graph.name)


@dataclass(frozen=True)
class Origin:
    """What a network of a spec was loaded from, so that it can be loaded again with other arguments."""

    model: Any
    arguments: Mapping[str, Any]
    input: Any = None


@dataclass(frozen=True)
class Network:
    """A network with every shape known.

    Its methods are the commands, under their names; nothing is computed before it is asked for.  Each result prints as
    the command's table, shows itself in a notebook, and has `to_dict()`, the command's JSON.

    >>> alexnet = archinspect.load("alexnet")
    >>> alexnet.params()["conv1"].params
    34944
    >>> alexnet.flops(depth=1).totals.macs
    1135256096
    """

    graph: Graph
    origin: Origin | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.graph.name

    def analyse(self, depth: int | None = None) -> Analysis:
        """Parameters, shapes, MACs, FLOPs, memory and receptive fields per layer, or per scope `depth` levels down.

        >>> archinspect.load("vgg16").analyse().totals.params
        138357544
        """
        from .analysis import analyse

        analysis = analyse(self.graph)
        if depth is None:
            return analysis
        if depth < 1:
            raise fail(
                "A403", f"depth must be at least 1, and is {depth}", help="leave it out for every layer"
            )
        return analysis.fold(depth)

    @overload
    def params(
        self, *, depth: int | None = None, explain: bool = False, convention: None = None
    ) -> Analysis: ...
    @overload
    def params(self, *, depth: int | None = None, explain: bool = False, convention: str) -> Report: ...
    def params(
        self, *, depth: int | None = None, explain: bool = False, convention: str | None = None
    ) -> Analysis | Report:
        """The parameters of each layer; with `convention` as that tool counts them.

        >>> print(archinspect.load("conv2d(8, 3) -> relu", input="3x8x8").params(explain=True))
        network
        Input 1×3×8×8
        <BLANKLINE>
        Layer   Type    Output shape  Params  Derivation
        ─────────────────────────────────────────────────────────
        conv2d  conv2d  1×8×6×6          224  (3×3×3×8) + 8 = 224
        relu    relu    1×8×6×6            0
        ═════════════════════════════════════════════════════════
        Total                            224
        <BLANKLINE>
        Params: trainable 224, non-trainable 0; 896 B in fp32.
        """
        if convention is not None:
            return self._counted(convention, "params", depth, explain)
        return self.analyse(depth).as_table("params", explain=explain)

    def shapes(self, *, depth: int | None = None, explain: bool = False) -> Analysis:
        """The output shape and receptive field of each layer.

        >>> archinspect.load("alexnet").shapes()["pool1"].output_shape
        (1, 96, 27, 27)
        """
        refuse_parameters_only(self.graph, "shapes")
        return self.analyse(depth).as_table("shapes", explain=explain)

    @overload
    def flops(
        self, *, depth: int | None = None, explain: bool = False, convention: None = None
    ) -> Analysis: ...
    @overload
    def flops(self, *, depth: int | None = None, explain: bool = False, convention: str) -> Report: ...
    def flops(
        self, *, depth: int | None = None, explain: bool = False, convention: str | None = None
    ) -> Analysis | Report:
        """The multiply-accumulates and FLOPs of each layer; with `convention` as that tool counts them.

        >>> archinspect.load("resnet50").flops(convention="fvcore").to_dict()["total"]
        4111512576
        """
        if convention is not None:
            return self._counted(convention, "cost", depth, explain)
        refuse_parameters_only(self.graph, "MACs and FLOPs")
        return self.analyse(depth).as_table("flops", explain=explain)

    @overload
    def summary(
        self,
        *,
        depth: int | None = None,
        explain: bool = False,
        style: Literal["full"] = "full",
        convention: None = None,
    ) -> Analysis: ...
    @overload
    def summary(
        self, *, depth: int | None = None, explain: bool = False, style: str = "full", convention: str | None
    ) -> Analysis | Report: ...
    @overload
    def summary(
        self, *, depth: int | None = None, explain: bool = False, style: str, convention: None = None
    ) -> Analysis | Report: ...
    def summary(
        self,
        *,
        depth: int | None = None,
        explain: bool = False,
        style: str = "full",
        convention: str | None = None,
    ) -> Analysis | Report:
        """Shapes, parameters, MACs and memory of each layer; `style="keras"` is what Keras' model.summary() prints.

        >>> archinspect.load("googlenet").summary(depth=1)["inception_3a"].params
        163696
        """
        if style not in ("full", "keras"):
            raise fail("A403", f"there is no style '{style}'", help="styles: full, keras")
        if style == "keras":
            from .report.keras import keras

            if convention is not None or explain:
                other = "explain" if explain else "convention"
                raise fail("A403", f"style='keras' and {other} do not go together", help="leave one out")
            return keras(self.graph, self.analyse(depth))
        if convention is not None:
            return self._counted(convention, "both", depth, explain)
        refuse_parameters_only(self.graph, "shapes and cost")
        return self.analyse(depth).as_table("summary", explain=explain)

    def _counted(
        self, convention: str, which: Literal["params", "cost", "both"], depth: int | None, explain: bool
    ) -> Report:
        refuse_parameters_only(self.graph, "figures by another tool's rules")
        from .check.own_module import count
        from .report.conventions import by_convention

        return by_convention(
            self.graph, count(self.graph, convention), which=which, explain=explain, depth=depth
        )

    def sweep(
        self,
        *,
        input: Sequence[Any] = (),
        pareto: str | None = None,
        jobs: int | None = None,
        **settings: Sequence[Any],
    ) -> Sweep:
        """Every combination of the values of arguments and input sizes, and which variants no other beats.

        `pareto` names what the front is optimal in, as in "macs,params:max".

        >>> found = archinspect.load("vgg11").sweep(num_classes=[10, 100])
        >>> [variant.figures.params for variant in found.variants]
        [128807306, 129176036]
        """
        from .sweep import DEFAULT, objectives, sweep
        from .sweep.grid import grid_of

        origin = self._origin("a sweep varies")
        grid = grid_of(settings, input)
        fixed = dict(origin.arguments)
        if origin.input is not None:
            fixed["input"] = origin.input
        return sweep(
            origin.model,
            grid,
            settings=fixed,
            objectives=DEFAULT if pareto is None else objectives(pareto, grid.names),
            jobs=jobs,
        )

    def check(
        self,
        claims: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        *,
        pasted: str | None = None,
        only: str | Sequence[str] = (),
    ) -> Checked:
        """Judge printed numbers of this network: a table as `pasted`, files of claims, or what the lecture says of it.

        >>> table = "| layer | params |\\n| --- | --- |\\n| conv1 | 34,944 |\\n| conv2 | 614,000 |"
        >>> found = archinspect.load("alexnet").check(pasted=table)
        >>> [judgement.wrong for judgement in found.judgements]
        [False, True]
        """
        from .check.claims import check

        files = [claims] if isinstance(claims, (str, os.PathLike)) else list(claims)
        only = [only] if isinstance(only, str) else only
        if not files and pasted is None:
            return check([self.name], only=only, waterfalls=True)
        return check(
            claims=[os.fspath(file) for file in files],
            pasted=pasted,
            only=only,
            waterfalls=True,
            network=self.graph,
        )

    def budget(
        self,
        *,
        max_params: str | float | None = None,
        max_macs: str | float | None = None,
        max_flops: str | float | None = None,
        max_memory: str | float | None = None,
        lock: str | os.PathLike[str] | None = None,
        update: bool = False,
    ) -> Budget:
        """The network held against limits ("25M", "2GiB") and a lock file; `update` writes the file first.

        >>> archinspect.load("alexnet").budget(max_params="25M")
        <Budget of alexnet: over its limit of params>
        """
        from .budget import budget

        limits = {"params": max_params, "macs": max_macs, "flops": max_flops, "memory": max_memory}
        return budget(self.graph, limits, lock, update=update)

    def memory(
        self,
        *,
        batch: int | None = None,
        dtype: str | None = None,
        train: str | None = None,
        freeze: str | Sequence[str] = (),
        head: int | None = None,
        lora: int | None = None,
        checkpoint: str | Sequence[str] = (),
        attention: str = "",
        context: int | None = None,
        fit: str | int | None = None,
    ) -> Memory:
        """What inference, or a training step with the optimiser `train`, takes in memory and work, layer by layer.

        Options as those of the command; `fit` is a size ("24GiB", or bytes) that the largest batch is found for.

        >>> archinspect.load("resnet18").memory(train="adam", head=10, freeze="conv1..conv4_x").totals["trainable"]
        8398858
        """
        from .analysis.plan import Plan, fitted, memory
        from .analysis.variants import with_head
        from .budget import amount

        with options_as_arguments():
            graph = self.graph if head is None else with_head(self.graph, head)
            patterns = [
                (given,) if isinstance(given, str) else tuple(given) for given in (freeze, checkpoint)
            ]
            plan = Plan(batch, dtype, train, patterns[0], lora, patterns[1], attention, context)
            if fit is None:
                return memory(graph, plan)
            return fitted(graph, plan, amount("memory", fit, "fit"))

    def signal(
        self,
        *,
        init: str | Sequence[str] = (),
        activation: str | Sequence[str] = (),
        without: str | Sequence[str] = (),
        depth_argument: Mapping[str, Sequence[Any]] | None = None,
        seeds: int = 3,
        batch: int | None = None,
        mode: str = "train",
        input_image: str | Sequence[str] = (),
    ) -> Signal:
        """Signal and gradient through the layers from a random start, measured over seeds beside theory.

        Options as those of the command; several values of one make variants, and `depth_argument={"depth": [4, 64]}`
        varies an argument of the spec.

        >>> chain = archinspect.load("linear(64) -> relu -> linear(64) -> relu -> linear(10)", input="64")
        >>> [verdict.code for verdict in chain.signal(init="zero").verdicts]
        ['symmetric', 'symmetric']
        """
        from .signal import signal

        graphs: dict[str, Graph] = {}
        for name, values in (depth_argument or {}).items():
            origin = self._origin("depth_argument varies")
            for value in values:
                arguments = {**origin.arguments, name: value}
                graphs[f"{name}={value}"] = load(origin.model, origin.input, **arguments).graph
        return signal(
            graphs or self.graph, _signal_plan(init, activation, without, seeds, batch, mode, input_image)
        )

    def signal_modes(
        self, *, init: str = "", batch: int | None = None, input_image: str | Sequence[str] = ()
    ) -> Modes:
        """What batch normalisation and dropout do in training and in evaluation, as `signal --modes` shows it."""
        from .signal import modes

        return modes(self.graph, _signal_plan(init, (), (), 1, batch, "train", input_image))

    def _origin(self, what: str) -> Origin:
        if self.origin is None:
            raise fail(
                "A403",
                f"{what} a spec that is loaded by name, and '{self.name}' is none",
                help="load a network that ships, a file or a one-line network",
            )
        return self.origin

    def build(self, *, device: str | torch.device = "cpu", weights: Weights | None = None) -> fx.GraphModule:
        """The network as a `torch.fx.GraphModule`; see `archinspect.pytorch.build`.

        >>> archinspect.load("alexnet").build(device="meta").conv1
        Conv2d(3, 96, kernel_size=(11, 11), stride=(4, 4))
        """
        from .pytorch import build

        return build(self.graph, device=device, weights=weights)

    def export(self, path: str | os.PathLike[str] | None = None, *, weights: Weights | None = None) -> str:
        """Python source that builds the same module with torch alone.

        With a `path` it is written there; its ending says what: `.py` source, `.onnx` a model, `.yaml` a spec (as
        `dump`), `.pth` the `weights` by our names.  Returns the source, or the path.

        >>> "nn.Conv2d(3, 8" in archinspect.load("conv2d(8, 3) -> relu", input="3x8x8").export()
        True
        """
        if path is not None and os.fspath(path).lower().endswith((".yaml", ".yml")) and weights is None:
            from .files import write

            write(self.dump(), path)
            return os.fspath(path)
        from .pytorch.write import export

        return export(self.graph, path, weights)

    def verify(self, batches: int | Sequence[int] = (1, 4)) -> Verification:
        """Our figures against the real module and other tools."""
        from .check.verify import verify

        return verify(self.graph, (batches,) if isinstance(batches, int) else tuple(batches))

    def diagram(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        style: str = "blocks",
        depth: int | None = None,
        expand: str | Sequence[str] = (),
        only: str | Sequence[str] = (),
        fold: bool = True,
        overview: bool = False,
        color: str = "type",
        latency: str | os.PathLike[str] | Mapping[str, float] | None = None,
        theme: str = "light",
        beside: Network | Sequence[Network] = (),
        against: Network | None = None,
        engine: str = "archinspect",
    ) -> Picture:
        """A picture: a notebook shows it, `path` writes it (.svg, .png, .pdf, .dot, .html), as `.save(path)` does.

        The options are those of `archinspect.diagram.Options`.

        >>> archinspect.load("alexnet").diagram(style="volume").svg()[:4]
        '<svg'
        """
        from .diagram import draw

        picture = draw(
            self.graph,
            style=style,
            depth=depth,
            expand=expand,
            only=only,
            fold=fold,
            overview=overview,
            color=color,
            latency=latency,
            theme=theme,
            beside=(beside,) if isinstance(beside, Network) else beside,
            against=against,
            engine=engine,
        )
        if path is not None:
            picture.save(path)
        return picture

    draw = diagram

    @overload
    def latency(self, *, predict: str, batch: int | None = None, dtype: str = "fp32") -> Prediction: ...
    @overload
    def latency(
        self,
        *,
        predict: None = None,
        device: str | None = None,
        batch: int | Sequence[int] | None = None,
        dtype: str | Sequence[str] = "fp32",
        mode: str | Sequence[str] = "latency",
        layers: bool = True,
        depth: int | None = None,
        channels_last: bool = False,
        compile: bool = False,
        cold: bool = False,
        threads: int | None = None,
        time_s: float = 20.0,
    ) -> Measurement: ...
    def latency(self, *, predict: str | None = None, **options: Any) -> Prediction | Measurement:
        """Time forward passes as `measure` does, or, with `predict="h100"`, say how long they should take there.

        >>> archinspect.load("resnet50").latency(predict="h100").batch
        1
        """
        return self.measure(**options) if predict is None else self.predict(predict, **options)

    def measure(
        self,
        *,
        device: str | None = None,
        batch: int | Sequence[int] | None = None,
        dtype: str | Sequence[str] = "fp32",
        mode: str | Sequence[str] = "latency",
        layers: bool = True,
        depth: int | None = None,
        channels_last: bool = False,
        compile: bool = False,
        cold: bool = False,
        threads: int | None = None,
        time_s: float = 20.0,
    ) -> Measurement:
        """Timed forward passes, whole and per layer (per scope `depth` levels down), about `time_s` seconds each.

        Without `batch` the network is timed at that of its example inputs, a spec at 1.
        `network.measure(device="cpu", batch=[1, 8], threads=1)`.  Raises ArchinspectError (A404) without torch.
        """
        _need("torch", "measuring", "torch")
        from .latency.measure import measure
        from .latency.plan import Options

        return measure(
            timed_graph(self.graph),
            device=device,
            batch=batch,
            dtype=dtype,
            mode=mode,
            layers=layers,
            time_s=time_s,
            options=Options(
                channels_last=channels_last, compile=compile, cold=cold, threads=threads, depth=depth
            ),
        )

    @overload
    def predict(
        self, device: str, batch: int | None = None, dtype: str = "fp32", *, profile: None = None
    ) -> Prediction: ...
    @overload
    def predict(
        self, *, batch: int | None = None, profile: str | os.PathLike[str] | Profile
    ) -> ProfilePrediction: ...
    def predict(
        self,
        device: str | None = None,
        batch: int | None = None,
        dtype: str = "fp32",
        *,
        profile: str | os.PathLike[str] | Profile | None = None,
    ) -> Prediction | ProfilePrediction:
        """How long a forward pass should take on a device of the table, from the closed form alone.

        With `profile`, the file that `archinspect calibrate` wrote, how long it takes on the device that was measured.
        """
        if profile is not None:
            from .latency.profile import Profile, read
            from .latency.utilisation import predict_by_profile

            known = profile if isinstance(profile, Profile) else read(profile)
            return predict_by_profile(self.graph, known, batch)
        from .latency.ceilings import precision
        from .latency.devices import device as named
        from .latency.predict import predict

        if device is None:
            raise fail(
                "A403", "no device to predict for", help='predict("h100") or predict(profile="PROFILE.json")'
            )
        return predict(self.graph, named(device), batch, precision(dtype))

    def compare(self, other: Any) -> Comparison:
        """What another network has more or less than this one, layer by layer; `other` may be all that `load` takes.

        >>> archinspect.load("resnet18").compare("resnet34").params
        10108160
        """
        from .analysis.compare import compare

        return compare(self.graph, (other if isinstance(other, Network) else load(other)).graph)

    def bottleneck(self) -> Forms:
        """The network in other forms: without its 1×1 reductions, and by every rewrite that finds something in it.

        >>> [form.rewrite.name for form in archinspect.load("alexnet").bottleneck()]
        ['two-3x3', 'asymmetric', 'depthwise', 'grouped', 'global-pool']
        """
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

    def to_dict(self) -> dict[str, Any]:
        """The analysis as the commands' JSON has it."""
        return self.analyse().to_dict()

    def to_pandas(self) -> pandas.DataFrame:
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
        return self.analyse()._repr_html_()


def _signal_plan(
    init: str | Sequence[str],
    activation: str | Sequence[str],
    without: str | Sequence[str],
    seeds: int,
    batch: int | None,
    mode: str,
    images: str | Sequence[str],
) -> Plan:
    """A plan of `signal`, where one text may stand for a sequence of one."""
    from .signal import Plan

    listed = [
        ((given,) if given else ()) if isinstance(given, str) else tuple(given)
        for given in (init, activation, without, images)
    ]
    return Plan(seeds, batch, mode, *listed)


def _need(package: str, what: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise fail("A404", f"{what} needs {package}", help=f"pip install 'archinspect[{extra}]'")
