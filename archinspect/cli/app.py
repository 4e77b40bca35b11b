"""The program: finds the command, runs it, and turns what went wrong into one message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.core
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ..errors import EXIT_INTERRUPTED, EXIT_USAGE, ArchinspectError, fail, suggestion
from .registry import COMMANDS
from .typer_versions import UsageError, keep_pydantic_out

# Where rich is installed, typer escapes the help for it (`\[required]`) even when told not to use it.
typer.core.HAS_RICH = False

PROGRAM = "archinspect"
#: packages that only some commands need → the extra that installs them
EXTRAS = {
    "torch": "torch",
    "torchinfo": "verify",
    "fvcore": "verify",
    "ptflops": "verify",
    "thop": "verify",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "graphviz": "diagram",
    "resvg_py": "diagram",
    "rich": "latency",
    "pandas": "pandas",
}
_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose parameters are ours."""

    def get_params(self, ctx: Any) -> list[Any]:
        return keep_pydantic_out(super().get_params(ctx))


class LazyGroup(TyperGroup):
    """The top-level command: knows all commands by name, imports the one that is invoked."""

    def get_params(self, ctx: Any) -> list[Any]:
        return keep_pydantic_out(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module, _, function = COMMANDS[cmd_name].target.partition(":")
        app = typer.Typer(
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings=_SETTINGS,
        )
        app.command(cmd_name, cls=Command)(
            getattr(import_module(f"{__package__}.commands.{module}"), function)
        )
        return get_command(app)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise fail("A403", f"there is no command '{name[:80]}'", help=_meant(name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                rows = [(f"{n:<{width}}", e.help) for n, e in COMMANDS.items() if e.section == section]
                formatter.write_dl(rows)


def run(args: Sequence[str]) -> int:
    """Run one command line; its exit code.  Nothing a user can type raises."""
    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        from .completion import answer_in_typers_form

        answer_in_typers_form()
    try:
        status = _program().main(list(args), prog_name=PROGRAM, standalone_mode=False)
    except ArchinspectError as error:
        return _report(error)
    except UsageError as error:
        from .usage import as_error

        return _report(as_error(error))
    except typer.Abort:
        return EXIT_INTERRUPTED
    except OSError as error:
        # What writes help, a version or a completion script is click, which lets a full disk pass as it is.
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO, errno.EPIPE):
            raise
        from .output import discard_the_rest

        discard_the_rest()
        if error.errno == errno.EPIPE:  # a reader that has seen enough
            return 0
        return _report(fail("A405", "cannot write to standard output", notes=[error.strerror or str(error)]))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        help = f"pip install '{PROGRAM}[{EXTRAS[package]}]'"
        return _report(fail("A404", f"this needs the package '{package}', which is not installed", help=help))
    return status if isinstance(status, int) else 0


def _program() -> Any:
    app = typer.Typer(
        name=PROGRAM,
        cls=LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=True,
        context_settings=_SETTINGS,
        epilog="MODEL is the name of a network that ships (archinspect list), a path to a spec, or a one-line"
        ' network such as "conv2d(96, 11, stride=4) -> relu".',
    )
    app.callback()(_top)
    return get_command(app)


def _version(value: bool) -> None:
    if value:
        from .. import __version__

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _completion(action: str) -> Any:
    def callback(ctx: typer.Context, value: str | None) -> None:
        if value and not ctx.resilient_parsing:
            from .completion import install, show

            (show if action == "show" else install)(value, PROGRAM)
            raise typer.Exit

    return callback


def _top(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    show_completion: Annotated[
        str | None,
        typer.Option(
            metavar="SHELL",
            callback=_completion("show"),
            is_eager=True,
            help="Print the completion script of a shell.",
        ),
    ] = None,
    install_completion: Annotated[
        str | None,
        typer.Option(
            metavar="SHELL",
            callback=_completion("install"),
            is_eager=True,
            help="Install completion for bash, zsh, fish or powershell.",
        ),
    ] = None,
) -> None:
    """Say a network once; get every number, picture, program and timing of it, each derived in the open."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _meant(name: str) -> str:
    """What someone who typed an unknown command probably wanted."""
    from ..frontends.spec import shipped

    if name in shipped() or name.endswith((".yaml", ".yml")) or "->" in name:
        return f"to see its parameters: {PROGRAM} params {name if name.isprintable() and ' ' not in name else 'MODEL'}"
    return suggestion(name, COMMANDS) or f"{PROGRAM} --help lists the commands"


def _report(error: ArchinspectError) -> int:
    from ..report.style import has_color
    from .output import say

    if sys.stderr is not None:
        say(error.render(color=has_color(sys.stderr)))
    return error.exit_code or EXIT_USAGE
