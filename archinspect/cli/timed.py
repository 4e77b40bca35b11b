"""What `latency` does with a request: measure, compare, predict, hold against a saved run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, fail
from ..files import refuse_unwritable
from ..latency.ceilings import precision
from ..latency.devices import device, device_here
from ..latency.plan import plan
from ..latency.predict import predict
from ..latency.results import Comparison, Measurement
from ..latency.saved import Request, save
from ..latency.sizes import batches_of
from ..report.table import Report, Table
from .options import load
from .output import say
from .pictures import emit_with_charts, refuse_early

if TYPE_CHECKING:
    from ..graph import Graph
    from ..latency.devices import Device
    from ..latency.predict import Prediction
    from ..latency.profile import Profile
    from .views import View


def measure_it(
    request: Request,
    targets: Sequence[str],
    devices: str | None,
    save_to: str | None,
    format: str | None,
    output: str | None,
    view: View,
) -> int:
    """One network, or several against each other; with `targets`, predictions beside."""
    from ..report.latency import measurement
    from ..report.latency_charts import measured
    from ..report.latency_comparison import comparison

    profiles, names = _profiles(targets)
    known = [device(name, devices) for name in names if name != "here"]
    _refuse_early(request, save_to, format, output)
    request, found, graphs = _run(request)
    report = comparison(found) if isinstance(found, Comparison) else measurement(found)
    measurements = _measurements(found)
    if targets:
        report = _beside(report, measurements, graphs, known, "here" in names)
        report = _beside_profiles(report, measurements, graphs, profiles)
    emit_with_charts(report, lambda: measured(measurements), format, output, view)
    if save_to is not None:
        save(found.to_dict(), request, save_to)
    return _status(found, output)


def compare_with(
    against: str,
    request: Request,
    limit: float | None,
    save_to: str | None,
    format: str | None,
    output: str | None,
    view: View,
) -> int:
    """The saved run again, or the request if it names networks, and what changed."""
    from ..latency.change import Changes
    from ..latency.saved import read
    from ..report.latency_change import changes
    from ..report.latency_charts import measured

    saved = read(against)
    if not request.models:
        request = _again(saved.request, request, against)
    _refuse_early(request, save_to, format, output)
    before = {each.model: each for each in saved.measurements}
    request, found, _ = _run(request)
    now = _measurements(found)
    pairs = [Changes(before[each.model], each) for each in now if each.model in before]
    if not any(pair.runs for pair in pairs):
        raise fail(
            "A403",
            f"nothing that was measured is in '{against}'",
            notes=[f"it has {', '.join(before)} at batch {_batches(saved.measurements)}"],
            help=f"archinspect latency --against {against} repeats it",
        )
    emit_with_charts(changes(pairs, limit), lambda: measured(now), format, output, view)
    if save_to is not None:
        save(found.to_dict(), request, save_to)
    worse = [] if limit is None else [change for pair in pairs for change in pair.regressions(limit)]
    if output is not None:
        _say(
            f"{change.after.model}, batch {change.after.batch} {change.after.label}: {change.verdict}"
            for change in worse
        )
    return _status(found, output) or (EXIT_FAILED if worse else 0)


#: options that have another name than what they ask for
_OPTIONS = {"channels_last": "--memory-format", "layers": "--no-layers"}


def _again(before: Request, asked: Request, against: str) -> Request:
    """The saved request, on another device or with another time where that is asked for; nothing else may be.

    Raises ArchinspectError (A403) for an option that would be passed over.
    """
    plain = Request(())
    names = [each.name for each in fields(Request) if getattr(asked, each.name) != getattr(plain, each.name)]
    ignored = [_OPTIONS.get(name, f"--{name}") for name in names if name not in ("device", "time_s")]
    if ignored:
        models = " ".join(map(shlex.quote, before.models))
        raise fail(
            "A403",
            f"--against repeats the run in '{against}', and {', '.join(ignored)} does not go with that",
            help=f"name the networks, too: archinspect latency {models} {ignored[0]} ... --against {against}",
        )
    time_s = before.time_s if asked.time_s == plain.time_s else asked.time_s
    return replace(before, device=asked.device or before.device, time_s=time_s)


def read_together(request: Request) -> Request:
    """Rows of several networks are read one below the other: folded one level down, unless a depth was asked for."""
    several = len(request.models) > 1 and request.depth is None
    return replace(request, depth=1) if several else request


def predict_only(
    request: Request,
    targets: Sequence[str],
    devices: str | None,
    format: str | None,
    output: str | None,
    view: View,
) -> int:
    """Predictions from the closed form; nothing runs, and torch is not needed."""
    from ..report.latency_charts import predicted
    from ..report.latency_prediction import predictions

    _check(request)
    profiles, names = _profiles(targets)
    known = [device(name, devices) for name in names]
    graphs = _graphs(request)
    request = _at_batches(request, graphs)
    found = _predictions(graphs, known, request)
    report = predictions(found, layers=request.layers) if found else Report(())
    if profiles:
        report = _with_profiles(report, graphs, profiles, request)
    emit_with_charts(report, lambda: predicted(found), format, output, view)
    return 0


def _profiles(targets: Sequence[str]) -> tuple[list[Profile], list[str]]:
    """The profiles among the targets, which are files, and the names of devices."""
    from ..latency.profile import read

    files = [name for name in targets if name.lower().endswith(".json")]
    return [read(name) for name in files], [name for name in targets if name not in files]


def _with_profiles(
    report: Report, graphs: Sequence[Graph], profiles: Sequence[Profile], request: Request
) -> Report:
    """The report with predictions by profiles."""
    from ..latency.utilisation import predict_by_profile
    from ..report.latency_profile import profile_predictions

    for profile in profiles:
        if set(request.dtype) != {profile.dtype}:
            raise fail(
                "A403",
                f"the profile of {profile.device} is of {profile.dtype}, not of {', '.join(request.dtype)}",
                help=f"--dtype {profile.dtype}, or calibrate with another --dtype",
            )
    found = [
        predict_by_profile(graph, profile, batch)
        for graph in graphs
        for profile in profiles
        for batch in request.batch
    ]
    found = found if request.depth is None else [each.fold(request.depth) for each in found]
    more = profile_predictions(found, layers=request.layers)
    records = [each.to_dict() for each in found]
    return _joined(report, more.tables, records)


def _beside_profiles(
    report: Report, measurements: Sequence[Measurement], graphs: Sequence[Graph], profiles: Sequence[Profile]
) -> Report:
    """The report with predictions by profiles beside what was measured."""
    from ..latency.utilisation import predict_by_profile
    from ..report.latency_profile import beside_profile

    for found, graph in zip(measurements, graphs, strict=True):
        for profile in profiles:
            batches = sorted({run.batch for run in found.runs if run.dtype == profile.dtype})
            predicted = [predict_by_profile(graph, profile, batch) for batch in batches]
            if predicted:
                records = [each.to_dict() for each in predicted]
                report = _joined(report, [beside_profile(found, predicted)], records)
    return report


def _joined(report: Report, tables: Iterable[Table], records: Sequence[Mapping[str, Any]]) -> Report:
    """The report with more tables, and more predictions in its document."""
    made = report.document

    def document() -> dict[str, Any]:
        before = dict(made()) if made is not None else {}
        return {**before, "predictions": [*before.get("predictions", ()), *records]}

    return Report((*report.tables, *tables), document)


def _refuse_early(request: Request, save_to: str | None, format: str | None, output: str | None) -> None:
    """A measurement takes its time: what could not be written at its end is refused now."""
    refuse_early(format, output, drawable=request.layers or len(request.batch) > 1)
    if save_to is not None:
        refuse_unwritable(save_to)


def _check(request: Request) -> None:
    """Refuse what cannot be before anything is loaded.  Raises ArchinspectError (A403)."""
    plan(**{**request.arguments(), "batch": request.batch or 1}, layers=request.layers)


def _at_batches(request: Request, graphs: Sequence[Graph]) -> Request:
    """The request with the batches of the example inputs where none are asked for."""
    return replace(request, batch=batches_of(graphs, request.batch or None))


def _run(request: Request) -> tuple[Request, Measurement | Comparison, list[Graph]]:
    """The request as it was answered, what was found, and the networks."""
    _check(request)
    graphs = _graphs(request)
    request = _at_batches(request, graphs)
    from .progress import progress_bar

    begin = time.perf_counter()
    with progress_bar() as progress:
        from ..latency.measure import compare, measure
        from ..network import timed_graph

        graphs = [timed_graph(graph) for graph in graphs]
        common: dict[str, Any] = {"device": request.device, "progress": progress, **request.arguments()}
        common |= {"layers": request.layers, "spent_s": time.perf_counter() - begin}
        if len(graphs) == 1:
            return request, measure(graphs[0], **common), graphs
        return request, compare(graphs, **common), graphs


def _graphs(request: Request) -> list[Graph]:
    given = [request.input] if isinstance(request.input, str) else list(request.input or ())
    settings = list(request.set)
    return [load(model, given, settings, real=request.real) for model in request.models]


def _predictions(graphs: Sequence[Graph], known: Sequence[Device], request: Request) -> list[Prediction]:
    found = [
        predict(graph, each, batch, precision(kind))
        for graph in graphs
        for each in known
        for kind in request.dtype
        for batch in request.batch
    ]
    return found if request.depth is None else [each.fold(request.depth) for each in found]


def _beside(
    report: Report,
    measurements: Sequence[Measurement],
    graphs: Sequence[Graph],
    known: list[Device],
    here: bool,
) -> Report:
    """The report with a table of predictions beside what was measured."""
    from ..report.latency_prediction import beside, record

    tables, records = [], []
    for found, graph in zip(measurements, graphs, strict=True):
        targets = [*known, *([device_here(found.ceilings)] if here and found.ceilings is not None else [])]
        for target in targets:
            runs = {(run.batch, run.dtype) for run in found.runs}
            predicted = [predict(graph, target, batch, precision(kind)) for batch, kind in sorted(runs)]
            if predicted:
                tables.append(beside(found, predicted))
                records += record(found, predicted)
    made = report.document

    def document() -> dict[str, Any]:
        return {**(made() if made is not None else {}), "predictions": records}

    return Report((*report.tables, *tables), document)


def _measurements(found: Measurement | Comparison) -> Sequence[Measurement]:
    return found.measurements if isinstance(found, Comparison) else (found,)


def _status(found: Measurement | Comparison, output: str | None) -> int:
    """The exit code; where the report went to a file, why it is not 0 is said on standard error."""
    doubted = [run for each in _measurements(found) for run in each.runs if not run.trustworthy]
    if output is not None:
        _say(
            f"not trustworthy: {run.model}, batch {run.batch} {run.label}: rows are {run.closure:.1%} of the whole"
            for run in doubted
        )
    if found.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if doubted else 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _batches(found: Sequence[Measurement]) -> str:
    return ", ".join(str(batch) for batch in sorted({run.batch for each in found for run in each.runs}))
