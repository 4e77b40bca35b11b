"""What click says about a wrong command line, in our own form: code, message, help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArchinspectError, fail, nearest
from .typer_versions import NoSuchOption


def as_error(error: Any) -> ArchinspectError:
    """A403 with click's message, and the nearest option or the command's own help as the way out."""
    if isinstance(error, NoSuchOption):
        return fail("A403", f"no such option '{error.option_name}'", help=_help(error))
    message = error.format_message().rstrip(".").replace(" (Possible options:", "\n(").partition("\n")[0]
    message = message[:1].lower() + message[1:]
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return fail("A403", message.partition(" Did you mean")[0].rstrip("."), help=_help(error))


_WORDS = {
    "is not a valid integer range": "is not an integer",
    "is not a valid int range": "is not an integer",
    "is not a valid float range": "is not a number",
}


#: what people call an option → what we call it, perhaps with a value; the first that the command has is meant
_MEANT = {
    "--sort": ("sort-by", "order", "order-by", "rank"),
    "--top": ("limit", "head", "first", "rows", "count", "largest", "max-rows"),
    "--only": ("filter", "include", "match", "grep", "layers", "layer", "select", "where", "pattern"),
    "--columns": ("fields", "cols", "col-names", "show"),
    "--units auto": ("human", "human-readable", "si", "pretty"),
    "--units exact": ("exact", "raw", "bytes"),
    "--share": ("percent", "percentage", "percentages", "relative", "ratio", "shares"),
    "--width": ("line-width", "terminal-width", "max-width"),
    "--input": (
        "input-size",
        "input-shape",
        "shape",
        "size",
        "resolution",
        "image-size",
        "img-size",
        "input-res",
    ),
    "--batch": ("batch-size", "bs", "n"),
    "--dtype": ("precision", "dtypes", "type"),
    "--dtype fp16": ("fp16", "half", "amp"),
    "--dtype bf16": ("bf16", "bfloat16"),
    "--set": ("arg", "args", "param", "num-classes", "argument", "config", "override"),
    "--depth": ("max-depth", "level", "levels", "fold"),
    "--explain": ("verbose", "why", "derive", "derivation", "derivations", "details", "formula"),
    "--convention": ("like", "tool", "as", "compat"),
    "--format json": ("json", "as-json"),
    "--format csv": ("csv",),
    "--format markdown": ("md", "markdown"),
    "--format latex": ("tex", "latex"),
    "--format tree": ("tree",),
    "--output": ("out", "file", "save-as", "to"),
    "--save": ("baseline", "record"),
    "--against": ("compare", "compare-to", "vs", "diff", "reference", "baseline"),
    "--claims": ("table", "from"),
    "--predict": ("estimate", "roofline", "gpu"),
    "--device": ("cuda", "gpu", "cpu"),
    "--all": ("full", "every", "all-layers"),
    "--lock": ("pin", "snapshot"),
    "--max-params": ("budget", "params", "limit-params"),
}
#: options that only some commands have → where, or what to say instead
_ELSEWHERE = {
    "--budget": "archinspect budget MODEL --max-params 25M",
    "--max-params": "archinspect budget MODEL --max-params 25M",
    "--max-macs": "archinspect budget MODEL --max-macs 4.2G",
    "--lock": "archinspect budget MODEL --lock FILE",
    "--fit": "archinspect memory MODEL --fit 24GiB",
    "--train": "archinspect memory MODEL --train adam",
    "--predict": "archinspect latency MODEL --predict h100",
    "--against": "archinspect compare MODEL MODEL, or latency --against FILE",
}
_OF_TABLES = ("--sort", "--top", "--only", "--columns", "--units", "--share")


def _help(error: Any) -> str:
    if isinstance(error, NoSuchOption) and error.ctx is not None:
        known = [o for p in error.ctx.command.get_params(error.ctx) for o in (*p.opts, *p.secondary_opts)]
        meant = _meant(error.option_name, known)
        if meant:
            return meant
    return f"{error.ctx.command_path} --help" if error.ctx is not None else "archinspect --help"


def _meant(name: str, known: Sequence[str]) -> str:
    """What someone who wrote this option wants: by its meaning first, then by its letters."""
    word = name.lstrip("-").lower().replace("_", "-")
    by_meaning = [
        ours for ours, theirs in _MEANT.items() if word in theirs and ours.partition(" ")[0] in known
    ]
    if by_meaning:
        return f"did you mean '{by_meaning[0]}'?"
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if name in _OF_TABLES:
        return f"tables of layers have {name}: params, shapes, flops, summary, compare, check, latency"
    close = nearest(name, [option for option in known if option.startswith("--")])
    return f"did you mean '{close}'?" if close else ""
