"""How weights start: the functions of torch.nn.init that a spec's `init` may name."""

from __future__ import annotations

from ...errors import OpError, suggestion
from ...ops import REGISTRY
from .document import Initializer

#: torch.nn.init's functions without their trailing underscore, and the arguments they take
INITIALIZERS: dict[str, tuple[str, ...]] = {
    "constant": ("val",),
    "kaiming_normal": ("a", "mode", "nonlinearity"),
    "kaiming_uniform": ("a", "mode", "nonlinearity"),
    "normal": ("mean", "std"),
    "ones": (),
    "orthogonal": ("gain",),
    "trunc_normal": ("mean", "std", "a", "b"),
    "uniform": ("a", "b"),
    "xavier_normal": ("gain",),
    "xavier_uniform": ("gain",),
    "zeros": (),
}


def check_initializer(initializer: Initializer) -> OpError | None:
    """What is wrong with an initialiser, or None.  An error about the op has `attribute="op"`."""
    if initializer.op not in REGISTRY:
        return OpError(
            "A202",
            f"unknown op '{initializer.op}'",
            help=suggestion(initializer.op, REGISTRY),
            attribute="op",
        )
    known = INITIALIZERS.get(initializer.function)
    if known is None:
        listed = "known: " + ", ".join(INITIALIZERS)
        help = suggestion(initializer.function, INITIALIZERS, otherwise=listed)
        return OpError("A202", f"unknown initialiser '{initializer.function}'", help=help)
    for name, value in initializer.kwargs.items():
        if name not in known:
            help = suggestion(name, known, otherwise=f"it takes {', '.join(known) or 'nothing'}")
            return OpError("A203", f"'{initializer.function}' has no argument '{name}'", help=help)
        words = {
            "mode": ("fan_in", "fan_out"),
            "nonlinearity": ("relu", "leaky_relu", "linear", "tanh", "sigmoid"),
        }
        if name in words and value not in words[name]:
            return OpError("A207", f"{value!r} is not one of {', '.join(words[name])}")
        if name not in words and (isinstance(value, bool) or not isinstance(value, (int, float))):
            return OpError("A206", f"expected a number for '{name}', got {value!r}")
    if initializer.function == "constant" and "val" not in initializer.kwargs:
        return OpError("A204", "'constant' needs val", help="constant(val=0.1)")
    return None
