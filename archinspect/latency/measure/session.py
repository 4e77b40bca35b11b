"""One configuration measured: whole, per layer, memory, and everything that speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import fx

from ...errors import fail
from ..ceilings import Precision
from ..conditions import counters, disturbances, read
from ..doubts import doubts_about, launch_doubt, rows_doubt
from ..flags import Flag
from ..gpu_conditions import gpu_flags
from ..layers import CALL, layer_timings
from ..memory import peak_memory as predicted_memory
from ..pairs import own_noise
from ..results import Run
from ..sampling import Samples, collect
from ..stats import median, median_interval
from ..stopping import Precision as Target
from ..telescope import Rows, telescope
from ..timers import TIMERS, Timer, enqueue_seconds, synchronised
from . import environment, inspection
from .instrument import Ledger, segments
from .prepare import Options, Prepared, is_out_of_memory, prepare
from .runtime import TorchRuntime

if TYPE_CHECKING:
    from ...graph import Graph

#: told while measuring: what, phase, samples, ± half width, share of the time
Progress = Callable[[str, str, int, float | None, float], None]

_WHOLE_SHARE, _LAYERS_SHARE = 0.35, 0.25  # of the time of one configuration; the rest is preparing it
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
        blank = self._blank(graph, batch, precision, mode)
        assert blank.predicted_memory_bytes is not None
        missing = self._missing(blank.predicted_memory_bytes)
        if missing:
            return _without(blank, missing)
        try:
            with torch.inference_mode():
                shape = (batch, *graph.input_shape[1:])
                prepared = prepare(module, shape, precision, self.device, self.options)
                return self._measured(graph, blank, prepared, precision, layers)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._release()
            return _without(blank, str(error).partition("\n")[0])

    def _blank(self, graph: Graph, batch: int, precision: Precision, mode: str) -> Run:
        options = {
            "channels_last": self.options.channels_last,
            "compile": self.options.compile,
            "cold": self.options.cold,
        }
        return Run(
            model=graph.name,
            batch=batch,
            dtype=precision.name,
            label=precision.label(has_tf32=self.runtime.has_tf32),
            mode=mode,
            predicted_memory_bytes=predicted_memory(graph, batch, precision.bytes),
            options={name: value for name, value in options.items() if value},
        )

    def _measured(
        self, graph: Graph, blank: Run, prepared: Prepared, precision: Precision, layers: bool
    ) -> Run:
        what = f"{graph.name} · batch {blank.batch} · {blank.label} · {blank.mode}"
        before, gpu_before, others = counters(), self._gpu(), self._gpu_processes()
        target = Target(cap_s=_WHOLE_SHARE * self.time_s)
        samples = collect(self._timer(prepared, blank.mode), self.runtime.clock, target, self._teller(what))
        after = counters()
        if not samples.values:
            return _replace(
                blank, status="interrupted", flags=(Flag("interrupted", "no samples were taken"),)
            )
        middle = median(samples.values)
        flags = disturbances(before, after, environment.cores()) + doubts_about(samples, target, middle)
        flags += gpu_flags(gpu_before, self._gpu(), others)
        if self.device.type == "cpu" and self.threads > environment.cores():
            flags.append(Flag("threads", f"{self.threads} threads on {environment.cores()} cores"))
        run = _with_samples(blank, samples)
        if samples.stopped == "interrupted":
            return _replace(run, status="interrupted", flags=tuple(flags))
        if self.runtime.asynchronous and blank.mode != "graph":
            enqueue = enqueue_seconds(prepared.forward, self.runtime)
            flags += launch_doubt(enqueue, middle)
            run = _replace(run, enqueue_ms=1000 * enqueue)
        names = [node.name for node in graph.layers]
        flags += inspection.look_at_values(prepared.module, prepared.input, names)
        peak, reserved = inspection.peak_memory(prepared.module, prepared.input)
        run = _replace(run, peak_memory_bytes=peak, reserved_memory_bytes=reserved)
        if layers and not self.options.compile:
            found, row_names = self._rows(prepared, names, what)
            if found is None:
                return _replace(
                    run, status="interrupted", flags=(*flags, Flag("interrupted", "before any layer"))
                )
            flags += rows_doubt(found)
            run = _replace(
                run,
                layers=layer_timings(zip(row_names, found.seconds, strict=True)),
                closure=found.closure,
                inflation=found.inflation,
            )
        return _replace(run, flags=tuple(flags))

    def _timer(self, prepared: Prepared, mode: str) -> Timer:
        if not self.options.cold:
            return TIMERS[mode](prepared.forward, self.runtime)
        if mode != "latency":
            raise fail("A403", "--cold flushes the caches before each forward", help="--mode latency")
        flush = torch.empty(256 * _MB, dtype=torch.uint8, device=self.device)
        return synchronised(prepared.forward, self.runtime, before=flush.zero_)

    def _rows(self, prepared: Prepared, names: list[str], what: str) -> tuple[Rows | None, list[str]]:
        """Time per row; on a GPU of captured graphs, so that the host's work is in no row."""
        parts = segments(prepared.module, names)
        ledger = Ledger(self.runtime, prepared.module, parts)

        def plain() -> object:
            return prepared.module(prepared.input)

        def marked() -> object:
            return ledger.module(prepared.input)

        if self.device.type == "cuda":
            plain, marked = self.runtime.capture(plain), self.runtime.capture(marked)
        start, end = self.runtime.event(), self.runtime.event()

        def whole() -> float:
            start.record()
            plain()
            end.record()
            self.runtime.synchronize()
            return start.seconds_until(end)

        teller = self._teller(what)
        found = telescope(
            whole,
            lambda: ledger.timed(marked),
            self.runtime.clock,
            Target(cap_s=_LAYERS_SHARE * self.time_s),
            (lambda count, share: teller("layers", count, None, share)) if teller else None,
        )
        return found, [*(part.name for part in parts), CALL]

    def _missing(self, predicted: int) -> str:
        """Why so much memory cannot be had; empty when it can, or when nobody knows."""
        if self.device.type == "cuda":
            available = torch.cuda.mem_get_info(self.device)[0] + torch.cuda.memory_reserved(self.device)
        else:
            lines = dict(
                line.split(":", 1) for line in (read("/proc/meminfo") or "").splitlines() if ":" in line
            )
            available = int(lines.get("MemAvailable", "0 kB").split()[0]) * 1024
        if not available or predicted <= available:
            return ""
        return f"needs at least {predicted / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are available"

    def _release(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _gpu(self) -> dict[str, str]:
        return environment.gpu_state(self.device.index or 0) if self.device.type == "cuda" else {}

    def _gpu_processes(self) -> list[str]:
        return environment.gpu_processes(self.device.index or 0) if self.device.type == "cuda" else []

    def _teller(self, what: str) -> Callable[[str, int, float | None, float], None] | None:
        progress = self.progress
        return (
            None
            if progress is None
            else lambda phase, n, known, share: progress(what, phase, n, known, share)
        )


def _without(blank: Run, reason: str) -> Run:
    return _replace(blank, status="out-of-memory", flags=(Flag("out-of-memory", reason),))


def _with_samples(blank: Run, samples: Samples) -> Run:
    interval = median_interval(samples.values)
    return _replace(
        blank,
        median_ms=1000 * median(samples.values),
        interval_ms=None if interval is None else (1000 * interval.low, 1000 * interval.high),
        samples_ms=tuple(1000 * s for s in samples.values),
        noise=own_noise(samples.values),
        first_ms=None if samples.first_s is None else 1000 * samples.first_s,
    )


def _replace(run: Run, **changes: object) -> Run:
    from dataclasses import replace

    return replace(run, **changes)  # type: ignore[arg-type]
