"""Which report shows which result: what `print(result)` and a notebook ask for (`archinspect.shown`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import fail
from .formats import render
from .formats.html import fragment
from .style import Style, style_of
from .table import Report


def text(result: Any) -> str:
    """The tables of a result, without the last line end: to fit a terminal, else as wide as they are."""
    return text_of(report_of(result))


def text_of(report: Report) -> str:
    """The tables of a report, without the last line end."""
    return render(report, "table", _style()).rstrip("\n")


def html(result: Any) -> str:
    """The tables of a result, to stand inside another page."""
    return fragment(report_of(result))


def document(result: Any) -> Mapping[str, Any]:
    """The JSON document of a result's command."""
    return report_of(result).to_dict()


def view(
    result: Any,
    sort: str,
    top: int | None,
    only: str | Sequence[str],
    columns: str | Sequence[str],
    units: str,
    share: bool,
) -> Report:
    """The report of a result's command with these rows and columns; one text may list several, by commas."""
    from ..analysis import Analysis
    from .views import View, viewed

    if top is not None and top < 1:
        raise fail("A403", f"top must be at least 1, and is {top}")
    wanted = View(sort, top, _listed(only), _listed(columns), units, share)
    if isinstance(result, Analysis):  # whose table may show columns that it has not by itself
        return viewed(_analysis(result, wanted.keys), wanted)
    return viewed(result if isinstance(result, Report) else report_of(result), wanted)


def _listed(words: str | Sequence[str]) -> tuple[str, ...]:
    return (
        tuple(word.strip() for word in words.split(",")) if isinstance(words, str) and words else tuple(words)
    )


def report_of(result: Any) -> Report:
    """The report of a result's command."""
    for kind in type(result).__mro__:
        if (builder := _BUILDERS.get(f"{kind.__module__}.{kind.__name__}")) is not None:
            return builder(result)
    raise TypeError(f"no report shows a {type(result).__name__}")


def _style() -> Style:
    """That of standard output where it is a terminal.  No colour: the text may go elsewhere."""
    stream = sys.stdout
    if stream is None or not getattr(stream, "encoding", None):
        return Style()
    style = style_of(stream)._replace(color=False)
    return style if stream.isatty() else style._replace(width=None)


def _budget(found: Any) -> Report:
    from .budget import budget

    return budget(found)


def _analysis(found: Any, also: Sequence[str] = ()) -> Report:
    from . import layers

    graph = found.graph
    builder = getattr(layers, found.table if graph.inputs else "params")  # all that a checkpoint has
    report: Report = builder(graph, found, explain=found.explain, also=also)
    return report


def _comparison(found: Any) -> Report:
    from .compare import comparison

    return comparison([found])


def _memory(found: Any) -> Report:
    from .memory import memory_report

    return memory_report(found)


def _verification(found: Any) -> Report:
    from .verify import verification

    return verification(found)


def _sweep(found: Any) -> Report:
    from .sweep import sweep

    return sweep(found, found.front, found.objectives)


def _substitution(found: Any) -> Report:
    from .rewrites import substitution

    return substitution(found)


def _forms(found: Any) -> Report:
    from .rewrites import network

    return network(found, found.detailed)


def _checked(found: Any) -> Report:
    from .claims import claims

    return claims(found)


def _reduction(found: Any) -> Report:
    from .bottleneck import reduction

    return reduction(found)


def _measurement(found: Any) -> Report:
    from .latency import measurement

    return measurement(found)


def _signal(found: Any) -> Report:
    from .signal import signal_report

    return signal_report(found)


def _modes(found: Any) -> Report:
    from .signal import modes_report

    return modes_report(found)


def _contest(found: Any) -> Report:
    from .latency_comparison import comparison

    return comparison(found)


def _prediction(found: Any) -> Report:
    from .latency_prediction import predictions

    return predictions([found])


def _profile_prediction(found: Any) -> Report:
    from .latency_profile import profile_predictions

    return profile_predictions([found])


def _prediction_error(found: Any) -> Report:
    from .latency_profile import errors

    return errors(found)


#: the full name of a result's class → its report
_BUILDERS: dict[str, Callable[[Any], Report]] = {
    "archinspect.analysis.results.Analysis": _analysis,
    "archinspect.analysis.bottleneck.convolution.Reduction": _reduction,
    "archinspect.analysis.compare.comparison.Comparison": _comparison,
    "archinspect.analysis.rewrites.substitution.Forms": _forms,
    "archinspect.analysis.rewrites.substitution.Substitution": _substitution,
    "archinspect.analysis.plan.Memory": _memory,
    "archinspect.budget.Budget": _budget,
    "archinspect.check.claims.Checked": _checked,
    "archinspect.check.verification.Verification": _verification,
    "archinspect.latency.predict.Prediction": _prediction,
    "archinspect.latency.utilisation.ProfilePrediction": _profile_prediction,
    "archinspect.latency.prediction_error.PredictionError": _prediction_error,
    "archinspect.latency.results.Comparison": _contest,
    "archinspect.latency.results.Measurement": _measurement,
    "archinspect.signal.results.Modes": _modes,
    "archinspect.signal.results.Signal": _signal,
    "archinspect.sweep.run.Sweep": _sweep,
}
