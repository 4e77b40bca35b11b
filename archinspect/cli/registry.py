"""The commands and where they live.  To add one, write its function in a file of `commands` and name it here.

Nothing but a command's own module is imported when it runs, and none for `archinspect --help`.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: `module:function` below `archinspect.cli.commands`, its line in the help, and its section there."""

    target: str
    help: str
    section: str


NUMBERS = "Numbers of a network"
CHECKS = "Checks"
RESULTS = "Pictures, programs, timings"
REFERENCE = "Reference"

COMMANDS: dict[str, Entry] = {
    "params": Entry("tables:params", "Count the parameters of each layer.", NUMBERS),
    "shapes": Entry("tables:shapes", "Show the output shape and receptive field of each layer.", NUMBERS),
    "flops": Entry("flops:flops", "Count the multiply-accumulates and FLOPs of each layer.", NUMBERS),
    "summary": Entry("summary:summary", "Show shapes, parameters, MACs and memory in one table.", NUMBERS),
    "memory": Entry("memory:memory", "Show what a pass or a training step takes, and what fits.", NUMBERS),
    "signal": Entry("signal:signal", "Follow signal and gradient through the layers.", NUMBERS),
    "bottleneck": Entry("bottleneck:bottleneck", "Show what a 1×1 bottleneck saves.", NUMBERS),
    "compare": Entry(
        "compare:compare", "Show how networks differ, and where the difference comes from.", NUMBERS
    ),
    "sweep": Entry("sweep:sweep", "Evaluate a grid of arguments and input sizes.", NUMBERS),
    "check": Entry("check:check", "Judge each number that a lecture or table prints, and say why.", CHECKS),
    "verify": Entry("verify:verify", "Hold our figures against the real module and other tools.", CHECKS),
    "budget": Entry(
        "budget:budget",
        "Hold a network against limits, or a lock of its figures.",
        CHECKS,
    ),
    "diagram": Entry("diagram:diagram", "Draw the network: blocks, volumes, or a page to explore.", RESULTS),
    "latency": Entry(
        "latency:latency", "Time forward passes, whole and per layer, or predict them.", RESULTS
    ),
    "calibrate": Entry(
        "predict:calibrate", "Measure how fast this device runs each kind of kernel.", RESULTS
    ),
    "predict": Entry(
        "predict:predict", "Predict how long networks take on a device that was calibrated.", RESULTS
    ),
    "export": Entry("export:export", "Write the network as PyTorch source, ONNX or a spec.", RESULTS),
    "list": Entry("listing:list_networks", "List the networks that ship.", REFERENCE),
    "ops": Entry("ops:ops", "List the layer types, or document one of them.", REFERENCE),
    "schema": Entry("schema:schema", "Print the JSON Schema of the spec language.", REFERENCE),
}
