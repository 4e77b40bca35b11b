"""Shell completion: scripts for shells, and what can stand where in a command line."""

from __future__ import annotations

import os
from typing import Any

from ..errors import fail, suggestion

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def show(shell: str, program: str) -> None:
    """Print the script that teaches a shell to complete our command lines."""
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name=program, complete_var=_variable(program), shell=_known(shell))
    print(script)  # noqa: T201


def install(shell: str, program: str) -> None:
    """Write the script where the shell looks for it."""
    from typer._completion_shared import install

    shell, path = install(shell=_known(shell), prog_name=program, complete_var=_variable(program))
    print(f"completion for {shell} is installed in {path}; it works in the next terminal")  # noqa: T201


def answer_in_typers_form() -> None:
    """Answer a shell that asks for completions as typer's scripts, which `show` prints, expect it."""
    from typer._completion_classes import completion_init

    completion_init()


def models(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """Names of shipped networks, specs and models lying about, and models of a library after its prefix, for MODEL."""
    from ..frontends.models import FILES, LIBRARIES
    from ..frontends.spec import shipped

    library, colon, start = incomplete.partition(":")
    if colon and library in LIBRARIES:
        from ..frontends.torch.libraries import names

        return [f"{library}:{name}" for name in names(library) if name.startswith(start)]

    folder, _, start = incomplete.rpartition("/")
    try:
        entries = sorted(os.listdir(folder or "."))
    except OSError:
        entries = []
    prefix = f"{folder}/" if folder else ""
    files = [
        prefix + name + ("/" if os.path.isdir(os.path.join(folder or ".", name)) else "")
        for name in entries
        if name.startswith(start) and not (name.startswith(".") and not start.startswith("."))
    ]
    models = [
        name for name in files if name.endswith((".yaml", ".yml", *FILES)) or (folder and name.endswith("/"))
    ]
    libraries = [f"{name}:" for name in LIBRARIES]
    return [name for name in [*shipped(), *models, *libraries] if name.startswith(incomplete)]


def ops(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """Names of layer types."""
    from ..ops import REGISTRY

    return [name for name in sorted(REGISTRY) if name.startswith(incomplete)]


def _known(shell: str) -> str:
    name = os.path.basename(shell).lower()
    if name not in SHELLS:
        help = suggestion(name, SHELLS) or f"shells: {', '.join(SHELLS)}"
        raise fail("A403", f"completion for '{shell}' is not supported", help=help)
    return name


def _variable(program: str) -> str:
    return f"_{program.upper()}_COMPLETE"
