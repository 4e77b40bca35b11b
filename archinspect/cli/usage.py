"""What click says about a wrong command line, in our own form: code, message, help."""

from __future__ import annotations

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


def _help(error: Any) -> str:
    if isinstance(error, NoSuchOption) and error.ctx is not None:
        known = [o for p in error.ctx.command.get_params(error.ctx) for o in (*p.opts, *p.secondary_opts)]
        close = nearest(error.option_name, [o for o in known if o.startswith("--")])
        if close:
            return f"did you mean '{close}'?"
    return f"{error.ctx.command_path} --help" if error.ctx is not None else "archinspect --help"
