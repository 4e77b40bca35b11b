"""One configuration measured: whole, per layer, memory, and everything that speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import fx

from ..ceilings import Precision
from ..conditions import read
from ..doubts import doubts_about, launch_doubt, rows_doubt
from ..flags import Flag
from ..layers import CALL, layer_timings, scope_at
from ..memory import peak_memory as predicted_memory
from ..pairs import own_noise
from ..plan import Options
from ..results import Run
from ..runtime import Forward
from ..sampling import Samples, Warmth, collect, warm_up
from ..stats import median, median_interval
from ..stopping import Precision as Target
from ..telescope import Rows, telescope
from ..timers import TIMERS, Timer, enqueue_seconds, synchronised
from . import inspection
from .instrument import Ledger, Segment, segments, together
from .prepare import Prepared, is_out_of_memory, prepare
from .runtime import TorchRuntime
from .watch import Watch

if TYPE_CHECKING:
    from ...graph import Graph

#: told while measuring: what, phase, samples, ± half width, share of the time
Progress = Callable[[str, str, int, float | None, float], None]

_TIME_SHARE = 0.4  # of the time of one configuration; the rest is for preparing it and for the roofs
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

    def run(
        self, graph: Graph, module: fx.GraphModule, batch: int, precision: Precision, mode: str, layers: bool
    ) -> Run:
        """Measure one configuration.  Memory running out gives a run that says so."""
        blank = self.blank(graph, batch, precision, mode)
        try:
            with torch.inference_mode():
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

    def prepared(self, graph: Graph, module: fx.GraphModule, blank: Run, precision: Precision) -> Prepared:
        """Module and input on the device.  Raises OutOfMemoryError when they cannot fit."""
        assert blank.predicted_memory_bytes is not None
        self._refuse_what_cannot_fit(blank.predicted_memory_bytes)
        shape = (blank.batch, *graph.input_shape[1:])
        return prepare(module, shape, precision, self.device, self.options)

    def timer(self, prepared: Prepared, mode: str) -> Timer:
        """How this mode times the forward."""
        flush = self._flush()
        if flush is None:
            return TIMERS[mode](prepared.forward, self.runtime)
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
        layers = layers and not self.options.compile
        parts = together(segments(prepared.module, graph), lambda name: scope_at(name, self.options.depth))
        # on a CPU the whole that the rows are held against is the very thing that is asked for
        both = layers and blank.mode == "latency" and not self.runtime.asynchronous
        target = Target(cap_s=_TIME_SHARE * self.time_s * (1 if both or not layers else 0.5))
        timer = self.timer(prepared, blank.mode)
        rows: Rows | None = None
        with Watch(self.device, self.threads, self.options) as watch:
            if both:
                warmth = warm_up(timer, self.runtime.clock, target, self.teller(what))
                if not warmth.interrupted:
                    rows = self.rows(
                        prepared, parts, replace(target, cap_s=target.cap_s - warmth.seconds), what
                    )
                samples = _as_samples(warmth, rows)
            else:
                samples = collect(timer, self.runtime.clock, target, self.teller(what))
        if not samples.values:
            return _interrupted(blank, "no samples were taken")
        middle = median(samples.values)
        flags = [*watch.flags, *doubts_about(samples, target, middle)]
        run = with_samples(blank, samples)
        if samples.stopped == "interrupted" and rows is None:
            return replace(run, status="interrupted", flags=tuple(flags))
        if self.runtime.asynchronous and blank.mode != "graph":
            enqueue = enqueue_seconds(prepared.forward, self.runtime)
            flags += launch_doubt(enqueue, middle)
            run = replace(run, enqueue_ms=1000 * enqueue)
        flags += inspection.look_at_values(prepared.module, prepared.input, parts)
        peak, reserved = inspection.peak_memory(prepared.module, prepared.input)
        run = replace(run, peak_memory_bytes=peak, reserved_memory_bytes=reserved)
        if layers and not both:
            rows = self.rows(prepared, parts, target, what)
            if rows is None:
                flags.append(Flag("interrupted", "before any layer"))
                return replace(run, status="interrupted", flags=tuple(flags))
        if rows is not None:
            flags += rows_doubt(rows)
            run = with_rows(run, rows, parts)
        return replace(run, flags=tuple(flags))

    def rows(self, prepared: Prepared, parts: Sequence[Segment], target: Target, what: str) -> Rows | None:
        """Time per row; on a GPU of captured graphs, so that the host's work is in no row."""
        ledger = Ledger(self.runtime, prepared.module, parts)
        flush = self._flush()

        def plain() -> object:
            return prepared.module(prepared.input)

        def marked() -> object:
            return ledger.module(prepared.input)

        before: list[Forward] = [flush] if flush is not None else []
        if self.runtime.captures_marks:
            plain, marked = self.runtime.capture(plain), self.runtime.capture(marked)
            before.insert(0, plain)  # a device at work does not wait for the launch of what is timed
        start, end = self.runtime.event(), self.runtime.event()

        def whole() -> float:
            for step in before:
                step()
            start.record()
            plain()
            end.record()
            self.runtime.synchronize()
            return start.seconds_until(end)

        def rows() -> list[float]:
            for step in before:
                step()
            return ledger.timed(marked)

        teller = self.teller(what)
        tell = None if teller is None else lambda n, known, share: teller("layers", n, known, share)
        return telescope(whole, rows, self.runtime.clock, target, tell)

    def _flush(self) -> Forward | None:
        """What empties the caches, where that is asked for: writing more than they hold."""
        if not self.options.cold:
            return None
        scratch = torch.empty(256 * _MB, dtype=torch.uint8, device=self.device)
        return scratch.zero_

    def _refuse_what_cannot_fit(self, predicted: int) -> None:
        if self.device.type == "cuda":
            available = torch.cuda.mem_get_info(self.device)[0] + torch.cuda.memory_reserved(self.device)
        else:
            lines = dict(
                line.split(":", 1) for line in (read("/proc/meminfo") or "").splitlines() if ":" in line
            )
            available = int(lines.get("MemAvailable", "0 kB").split()[0]) * 1024
        if available and predicted > available:
            raise OutOfMemoryError(
                f"needs at least {predicted / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are available"
            )


class OutOfMemoryError(Exception):
    """A configuration that cannot fit, known before it is tried."""


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


def _as_samples(warmth: Warmth, rows: Rows | None) -> Samples:
    if rows is None:
        return Samples((), warmth, "interrupted")
    return Samples(rows.wholes, warmth, rows.stopped)


def with_rows(run: Run, rows: Rows, parts: Sequence[Segment]) -> Run:
    names = [*((part.name, part.layers) for part in parts), (CALL, ())]
    timed = ((name, layers, s) for (name, layers), s in zip(names, rows.seconds, strict=True))
    return replace(
        run,
        layers=layer_timings(timed),
        whole_ms=1000 * rows.whole_s,
        closure=rows.closure,
        inflation=rows.inflation,
    )


def _without(blank: Run, reason: str) -> Run:
    return replace(blank, status="out-of-memory", flags=(Flag("out-of-memory", reason),))


def _interrupted(blank: Run, reason: str) -> Run:
    return replace(blank, status="interrupted", flags=(Flag("interrupted", reason),))
