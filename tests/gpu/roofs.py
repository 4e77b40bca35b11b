"""The roofs that are measured beside the datasheet's, and predictions beside measurements."""

from __future__ import annotations

from typing import Any

from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.devices import device_here, recognise
from archinspect.latency.predict import predict
from tests.latency.proof.finding import Finding


def roofs_are_near_the_datasheet() -> Finding:
    """Copy and matrix product reach a large share of what the sheet says, and never more."""
    from archinspect.latency.measure.roofs import measure_ceilings
    from archinspect.latency.measure.runtime import find_device, runtime_for

    runtime = runtime_for(find_device("cuda"))
    measured = measure_ceilings(runtime, list(PRECISIONS.values()))
    entry = recognise(runtime.name())
    figures: dict[str, Any] = {"device": runtime.name(), "bandwidth GB/s": measured.bandwidth / 1e9}
    figures |= {f"{kind} TFLOP/s": value / 1e12 for kind, value in measured.peak.items()}
    figures["launch µs"] = measured.launch_s * 1e6
    if entry is None:
        figures["datasheet"] = "the table of devices does not have it"
        return Finding("roofs", False, "the device is recognised", figures)
    shares = {
        kind: measured.peak[kind] / peak
        for kind, peak in entry.ceilings.peak.items()
        if kind in measured.peak
    }
    shares["bandwidth"] = measured.bandwidth / entry.ceilings.bandwidth
    figures |= {f"{kind} of the sheet": share for kind, share in shares.items()}
    passed = all(0.5 <= share <= 1.05 for share in shares.values())
    return Finding("roofs", passed, "each roof is 50 to 105 % of the datasheet's", figures)


def predictions_hold_measurements() -> Finding:
    """Measured times beside the predicted range, by the datasheet and by the roofs measured here."""
    from archinspect.latency.measure import measure

    below, inside, figures = 0, 0, dict[str, Any]()
    cases = [("resnet50", 1), ("resnet50", 64), ("vgg16", 32), ("googlenet", 32), ("mobilenet_v2", 64)]
    for model, batch in cases:
        graph = load_graph(model)
        for dtype in ("fp32", "fp16"):
            found = measure(graph, device="cuda", batch=batch, dtype=dtype, time_s=4, layers=False)
            (run,) = found.runs
            entry = recognise(found.device)
            assert found.ceilings is not None
            target = entry if entry is not None else device_here(found.ceilings)
            each = predict(graph, target, batch, PRECISIONS[dtype])
            ms = run.median_ms or 0.0
            below += ms < each.low_ms
            inside += each.low_ms <= ms <= each.high_ms
            figures[f"{model}, batch {batch}, {dtype}"] = (
                f"{ms:.3f} in {each.low_ms:.3f} … {each.high_ms:.3f}"
            )
    count = 2 * len(cases)
    figures = {"cases": count, "below the floor": below, "inside the range": inside, **figures}
    # Winograd needs fewer multiplications than are counted, and may pass a floor of fp32
    return Finding("predictions", below <= 0.2 * count, "at most 1 in 5 is faster than its floor", figures)


def calibration_predicts_networks() -> Finding:
    """A minute of calibration, then networks that it has not seen, measured beside what it predicts of them."""
    from archinspect.latency.measure.calibrate import calibrate
    from archinspect.latency.measure.prediction_error import prediction_error

    profile = calibrate("cuda", minutes=1.0, dtype=PRECISIONS["fp32"])
    names = (
        "alexnet",
        "vgg16",
        "googlenet",
        "resnet18",
        "resnet50",
        "densenet121",
        "mobilenet_v2",
        "efficientnet_b0",
    )
    networks = ((name, load_graph(name)) for name in names)
    found = prediction_error(networks, profile, (1, 8, 32), time_s=0.5)
    figures: dict[str, Any] = {
        "kernels": len(profile.samples),
        "networks": len(names),
        "median error": found.median_error,
        "90th percentile": found.p90_error,
        "roofline's median error": found.roofline_median_error,
        "within the interval": found.coverage,
    }
    figures |= {f"{each.model}, batch {each.batch}": each.error for each in found.networks}
    passed = found.median_error <= 0.15 and found.median_error < found.roofline_median_error
    return Finding("calibration", passed, "median error at most 15 %, and less than the roofline's", figures)
