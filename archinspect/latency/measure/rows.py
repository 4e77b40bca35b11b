"""Time per row: a forward with marks in turn with the same one without."""

from __future__ import annotations

from dataclasses import replace

from ..layer_timing import Rows, Tell, sample_rows
from ..layers import CALL, Row, layer_timings
from ..results import Run
from ..runtime import Forward
from ..sampling import StoppingRule
from .capacity import is_out_of_memory
from .instrument import Instrument
from .runtime import TorchRuntime


class CannotCaptureError(Exception):
    """A forward that a CUDA graph cannot hold: it waits for the device, or allocates outside."""


def time_rows(
    instrument: Instrument,
    runtime: TorchRuntime,
    target: StoppingRule,
    flush: Forward | None,
    tell: Tell | None,
) -> Rows | None:
    """Seconds of each row; on a GPU of captured graphs, so that the host's work is in no row.

    `flush` runs untimed before each forward.  None when Ctrl-C came before the first round was over.  Raises
    CannotCaptureError for a forward that a CUDA graph cannot hold, unless `instrument.eager`.
    """
    plain, marked, switch = instrument.plain, instrument.marked, instrument.switch
    before: list[Forward] = [flush] if flush is not None else []
    if runtime.captures_marks and not instrument.eager:
        switch(True)
        try:
            marked = runtime.capture(marked)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise CannotCaptureError(str(error).partition("\n")[0]) from error
        finally:
            switch(False)
        plain = runtime.capture(plain)
        before.insert(0, plain)  # a device at work does not wait for the launch of what is timed
        switch = _as_it_is  # what is captured stays
    start, end = runtime.event(), runtime.event()

    def whole() -> float:
        switch(False)
        for step in before:
            step()
        start.record()
        plain()
        end.record()
        runtime.synchronize()
        return start.seconds_until(end)

    def rows() -> list[float]:
        switch(True)
        for step in before:
            step()
        return instrument.ledger.timed(marked)

    try:
        return sample_rows(whole, rows, runtime.clock, target, tell)
    finally:
        instrument.switch(False)


def _as_it_is(_on: bool) -> None:
    """No switching."""


def with_rows(run: Run, rows: Rows, instrument: Instrument) -> Run:
    """The run with its rows, and what they prove."""
    names = (*instrument.rows, Row(CALL))
    return replace(
        run,
        layers=layer_timings(zip(names, rows.seconds, strict=True)),
        whole_ms=1000 * rows.whole_s,
        closure=rows.closure,
        inflation=rows.inflation,
    )
