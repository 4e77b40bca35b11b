"""One configuration measured: whole, per layer, memory, and everything that speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import torch
from torch import fx, nn

from ...errors import fail
from ..ceilings import Precision
from ..flags import Flag, launch_flags, left_out_flags, row_flags, sample_flags
from ..interleaved import own_noise
from ..layer_timing import Rows
from ..layers import scope_at
from ..memory import peak_memory as predicted_memory
from ..plan import Options
from ..results import Run
from ..runtime import Forward
from ..sampling import Samples, StoppingRule, TimeBudget, WarmUp, collect, sample, warm_up
from ..stats import median, median_interval
from ..timers import TIMERS, Timer, enqueue_seconds, synchronised
from . import inspection
from .capacity import OutOfMemoryError, is_out_of_memory, refuse_what_cannot_fit
from .compiled import kernels_marked, own_kernels_marked
from .instrument import Instrument, Segment, layers_marked, segments, together, watched
from .module_calls import ChangingCallsError, parts_marked, watch
from .own_module import errors_of, kept_random_state
from .prepare import Prepared, prepare, prepare_own
from .provenance import NotUnderstoodError
from .rows import CannotCaptureError, time_rows, with_rows
from .runtime import TorchRuntime
from .watch import Watch

if TYPE_CHECKING:
    from ...graph import Graph

#: told while measuring: what, phase, samples, ± half width, share of the time
Progress = Callable[[str, str, int, float | None, float], None]

_TIME_SHARE = 0.4  # of the time of one configuration; the rest is for preparing it and for the roofs
LEAST = 2  # forwards that rows take at least: a whole, and one with marks
LOOKS = 3  # forwards that looking at values and memory is worth
_MB = 1 << 20


@dataclass
class Session:
    """A device, how to run on it, and for how long."""

    device: torch.device
    runtime: TorchRuntime
    options: Options
    threads: int
    time_s: float = 20.0
    progress: Progress | None = None
    budget: TimeBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = TimeBudget(self.runtime.clock, self.time_s)

    def run(
        self, graph: Graph, module: nn.Module, batch: int, precision: Precision, mode: str, layers: bool
    ) -> Run:
        """Measure one configuration.  Memory running out gives a run that says so.

        `module` is moved and narrowed where it was built of a spec; a user's own (`graph.source`) stays as it is.
        """
        blank = self.blank(graph, batch, precision, mode)
        try:
            own = nullcontext() if graph.source is None else errors_of(module, batch)
            with own, kept_random_state(self.device), torch.inference_mode():
                return self._measured(graph, blank, self.prepared(graph, module, blank, precision), layers)
        except OutOfMemoryError as error:
            return _without(blank, str(error))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.release()
            return _without(blank, str(error).partition("\n")[0])

    def blank(self, graph: Graph, batch: int, precision: Precision, mode: str) -> Run:
        """The configuration, before anything is known of it but its memory."""
        return Run(
            model=graph.name,
            batch=batch,
            dtype=precision.name,
            label=precision.label(has_tf32=self.runtime.has_tf32),
            mode=mode,
            predicted_memory_bytes=predicted_memory(graph, batch, precision.bytes),
            options=self.options.names,
        )

    def prepared(self, graph: Graph, module: nn.Module, blank: Run, precision: Precision) -> Prepared:
        """Module and input on the device, compiled where asked.  Raises OutOfMemoryError when they cannot fit."""
        assert blank.predicted_memory_bytes is not None
        refuse_what_cannot_fit(blank.predicted_memory_bytes, self.device)
        if self.options.compile and self.progress is not None:
            self.progress(f"{blank.model} · batch {blank.batch} · {blank.label}", "compiling", 0, None, 0.0)
        if graph.source is None:
            assert isinstance(module, fx.GraphModule)
            shape = (blank.batch, *graph.input_shape[1:])
            made = prepare(module, shape, precision, self.device, self.options)
        else:
            made = prepare_own(module, graph, blank.batch, precision, self.device, self.options)
        if made.compiled is not None:
            self.budget.until += made.compiled.first_s  # compiling has a time of its own
        return made

    def timer(self, prepared: Prepared, mode: str) -> Timer:
        """How this mode times the forward."""
        flush = self._flush()
        if flush is None:
            try:
                return TIMERS[mode](prepared.forward, self.runtime)
            except RuntimeError as error:
                if mode != "graph" or is_out_of_memory(error):
                    raise
                raise fail(
                    "A403",
                    "--mode graph: a CUDA graph cannot hold this forward pass",
                    notes=[str(error).partition("\n")[0]],
                    help="--mode latency or throughput",
                ) from error
        return synchronised(prepared.forward, self.runtime, before=flush)

    def teller(self, what: str) -> Callable[[str, int, float | None, float], None] | None:
        """The progress of one thing."""
        progress = self.progress
        return (
            None
            if progress is None
            else lambda phase, n, known, share: progress(what, phase, n, known, share)
        )

    def release(self) -> None:
        """Give memory back that only the allocator holds."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _measured(self, graph: Graph, blank: Run, prepared: Prepared, layers: bool) -> Run:
        what = f"{graph.name} · batch {blank.batch} · {blank.label} · {blank.mode}"
        instrument, notes = self.instrument(prepared, graph) if layers else (None, [])
        # on a CPU the whole that the rows are held against is the very thing that is asked for
        both = instrument if blank.mode == "latency" and not self.runtime.asynchronous else None
        share = _TIME_SHARE * (1 if both or instrument is None else 0.5)
        target = StoppingRule(cap_s=share * self.time_s, until=self.budget.until)
        timer = self.timer(prepared, blank.mode)
        rows: Rows | None = None
        late: list[str] = []
        with Watch(self.device, self.threads, self.options) as watch:
            if both is not None:
                warmth = warm_up(timer, self.runtime.clock, target, self.teller(what))
                samples = Samples((), warmth, "interrupted")
                if not warmth.interrupted and not self.budget.affords(LEAST * warmth.values[-1]):
                    late.append("rows")
                    samples = sample(timer, self.runtime.clock, target, warmth, self.teller(what))
                elif not warmth.interrupted:
                    try:
                        rows = self.rows(both, self._for_rows(target, warmth), what, notes)
                        samples = samples if rows is None else Samples(rows.wholes, warmth, rows.stopped)
                    except ChangingCallsError as error:
                        notes.append(Flag("changing-calls", str(error)))
                        instrument = None
                        samples = sample(timer, self.runtime.clock, target, warmth, self.teller(what))
            else:
                samples = collect(timer, self.runtime.clock, target, self.teller(what))
        if not samples.values:
            return _interrupted(blank, "no samples were taken")
        middle = median(samples.values)
        samples = prepared.with_first(samples)
        flags = [*watch.flags, *sample_flags(samples, target, middle), *notes]
        run = with_samples(blank, samples)
        if samples.stopped == "interrupted" and rows is None:
            return replace(run, status="interrupted", flags=tuple(flags))
        if self.runtime.asynchronous and blank.mode != "graph":
            enqueue = enqueue_seconds(prepared.forward, self.runtime)
            flags += launch_flags(enqueue, middle)
            run = replace(run, enqueue_ms=1000 * enqueue)
        if self.budget.affords(LOOKS * middle):
            flags += self.values(prepared, graph)
            peak, reserved = prepared.peak_memory(self.device)
            run = replace(run, peak_memory_bytes=peak, reserved_memory_bytes=reserved)
        else:
            late += ["values", "memory"]
        if instrument is not None and both is None and not self.budget.affords(LEAST * middle):
            late.append("rows")
        elif instrument is not None and both is None:
            try:
                rows = self.rows(instrument, target, what, flags)
            except ChangingCallsError as error:
                flags.append(Flag("changing-calls", str(error)))
                instrument = None
            if rows is None and instrument is not None:
                flags.append(Flag("interrupted", "before any layer"))
                return replace(run, status="interrupted", flags=tuple(flags))
        flags += left_out_flags(late, middle, self.budget.limit_s)
        if rows is not None and instrument is not None:
            flags += row_flags(rows)
            run = with_rows(run, rows, instrument)
        return replace(run, flags=tuple(flags))

    def _for_rows(self, target: StoppingRule, warmth: WarmUp) -> StoppingRule:
        """What is left for the rows; the looks afterwards keep their time where that leaves a round."""
        slow = warmth.values[-1]
        looks = LOOKS * slow if self.budget.affords((LOOKS + 3 * LEAST) * slow) else 0.0
        return replace(target, cap_s=target.cap_s - warmth.seconds, until=self.budget.reserving(looks))

    def _parts(self, module: fx.GraphModule, graph: Graph) -> tuple[Segment, ...]:
        """The layers of a spec, folded where asked, as steps of the module's code."""
        return together(segments(module, graph), lambda name: scope_at(name, self.options.depth))

    def values(self, prepared: Prepared, graph: Graph) -> list[Flag]:
        """What the values in a forward pass say against the figure."""
        if graph.source is None:
            module = cast("fx.GraphModule", prepared.module)
            parts = self._parts(module, graph)
            return inspection.look_at_values(lambda look: watched(module, parts, look)(*prepared.args))
        return inspection.look_at_values(lambda look: watch(prepared.module, prepared.plain, look))

    def instrument(self, prepared: Prepared, graph: Graph) -> tuple[Instrument | None, list[Flag]]:
        """Marks between the layers, or between the kernels of a compiled module; None and why, where there are none."""
        if prepared.calls is not None and prepared.compiled is None:
            return parts_marked(self.runtime, prepared.calls, prepared.forward, graph, self.options.depth), []
        depth = self.options.depth
        try:
            if prepared.calls is not None:
                assert prepared.compiled is not None
                return own_kernels_marked(
                    self.runtime, prepared.compiled, prepared.forward, prepared.calls, graph, depth
                ), []
            module = cast("fx.GraphModule", prepared.module)
            (image,) = prepared.args
            if prepared.compiled is None:
                return layers_marked(self.runtime, module, image, self._parts(module, graph)), []
            steps = segments(module, graph)
            return kernels_marked(self.runtime, prepared.compiled, image, steps, graph, depth), []
        except NotUnderstoodError as error:
            return None, [Flag("no-rows", f"the compiled code is not understood: {error}")]

    def rows(self, instrument: Instrument, target: StoppingRule, what: str, flags: list[Flag]) -> Rows | None:
        """Time per row; on a GPU of captured graphs, so that the host's work is in no row.

        Where a graph cannot hold the forward, of eager passes; `flags` get to say so.
        """
        teller = self.teller(what)
        tell = None if teller is None else lambda n, known, share: teller("layers", n, known, share)
        try:
            return time_rows(instrument, self.runtime, target, self._flush(), tell)
        except CannotCaptureError as error:
            flags.append(Flag("eager-rows", f"a CUDA graph cannot hold the forward pass ({error})"))
            return time_rows(replace(instrument, eager=True), self.runtime, target, self._flush(), tell)

    def _flush(self) -> Forward | None:
        """What empties the caches, where that is asked for: writing more than they hold."""
        if not self.options.cold:
            return None
        scratch = torch.empty(256 * _MB, dtype=torch.uint8, device=self.device)
        return scratch.zero_


def with_samples(blank: Run, samples: Samples) -> Run:
    """The run with its figures."""
    interval = median_interval(samples.values)
    first = samples.warmth.first_s
    return replace(
        blank,
        status="interrupted" if samples.stopped == "interrupted" else "ok",
        median_ms=1000 * median(samples.values),
        interval_ms=None if interval is None else (1000 * interval.low, 1000 * interval.high),
        samples_ms=tuple(1000 * s for s in samples.values),
        noise=own_noise(samples.values),
        first_ms=None if first is None else 1000 * first,
    )


def _without(blank: Run, reason: str) -> Run:
    return replace(blank, status="out-of-memory", flags=(Flag("out-of-memory", reason),))


def _interrupted(blank: Run, reason: str) -> Run:
    return replace(blank, status="interrupted", flags=(Flag("interrupted", reason),))
