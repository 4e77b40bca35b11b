"""The acceptance checks of GPU timing.  Each needs a CUDA device, and returns a `Finding` with its figures."""

from __future__ import annotations

from collections.abc import Callable

from tests.gpu import agreement, conditions, roofs, truths
from tests.latency.proof.finding import Finding

#: in the order of their worth, should the time end
CHECKS: dict[str, Callable[[], Finding]] = {
    check.__name__: check
    for check in (
        conditions.every_option_runs,
        truths.rows_add_up,
        agreement.against_do_bench_cudagraph,
        agreement.against_torchs_timer,
        truths.planted_sleep,
        conditions.launch_bound_verdicts,
        truths.no_false_alarms,
        conditions.answers_in_time,
        roofs.roofs_are_near_the_datasheet,
        roofs.calibration_predicts_networks,
        agreement.against_the_profiler,
        conditions.another_process_is_seen,
        roofs.predictions_hold_measurements,
        conditions.fresh_processes_agree,
        truths.compiled_rows_add_up,
    )
}
