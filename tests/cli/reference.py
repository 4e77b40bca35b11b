"""docs/cli.md, made from what the commands say about themselves.

`python -m tests.cli.reference` writes the page; with `--check` it only says whether the page is what it should be.
"""

from __future__ import annotations

import sys

from archinspect.cli.registry import COMMANDS
from archinspect.errors import EXIT_FAILED
from tests.support import DOCS, run_cli

PAGE = DOCS / "cli.md"

INTRODUCTION = """\
# Command line

<!-- Made by `python -m tests.cli.reference` from the commands' own help; change that instead of this page. -->

`archinspect COMMAND ...`; `python -m archinspect COMMAND ...` is the same.

**MODEL** is the name of a network that ships (`archinspect list`), a path to a spec, or a one-line network:

```sh
archinspect params "conv2d(96, 11, stride=4) -> relu -> max_pool2d(3, stride=2)" --input 3x227x227
```

**Results** go to standard output, or with `-o FILE` to a file, which is written whole or not at all; its ending
(`.txt`, `.md`, `.tex`, `.html`, `.csv`, `.tsv`, `.json`, `.rst`, `.org`, `.adoc`) picks the format. `--format json`
prints one JSON document and nothing else; CSV and TSV hold raw integers, without the total row.

On a terminal a table fits: what is too wide folds, and a line says what was left out. In a pipe or file nothing is
folded or left out, so that `grep` finds whole lines. `--width`, or the variable `COLUMNS`, sets a width for both.
`NO_COLOR` turns colour off; in a pipe there is none.

**Diagnostics** go to standard error.

**Exit codes**: 0 fine; 1 a check, verification or budget failed; 2 bad input or usage.

**Completion**: `archinspect --install-completion bash` (or `zsh`, `fish`, `powershell`) completes commands, options and
the names of networks; `--show-completion SHELL` prints the script instead.
"""


#: options whose help differs between commands → what they have in common
SEVERAL = {
    "--against": "What it is held against: a network, or for `latency` a saved run.",
    "--batch": "Images or sequences at once; several between commas where a command runs them all.",
    "--depth": "Levels of scopes that are told apart.",
    "--dtype": "Precision of weights and activations; several between commas where a command runs them all.",
    "--format": "Format of what is written: of a table, or for `diagram` of a picture.",
    "--input": "Input size; for `sweep` several.",
    "--mode": "How it is run: for `latency` which figure is wanted, for `signal` as in training or evaluation.",
    "--only": "What is shown, by name or pattern: layers, and for `check` claims, too.",
    "--fit": "What to fit: the memory of a device, or for `diagram` a medium.",
    "--output": "Write to a file.",
    "--save": "Write what was found to a file, to be used again: a run, or a rewritten network.",
    "--set": "Set an argument of the network; for `sweep` several values.",
    "--sort": "Order of the rows, by a column.",
    "--style": "How it looks.",
    "--time": "About how long measuring takes, in seconds.",
    "--width": "Width of the result: of a table in characters, of a PNG in pixels.",
}


def shared_options() -> dict[str, dict[str, str]]:
    """Options that several commands have → command → what its help says."""
    from archinspect.cli.app import LazyGroup

    found: dict[str, dict[str, str]] = {}
    group = LazyGroup(name="archinspect")
    for name in COMMANDS:
        command = group.get_command(None, name)
        for parameter in command.params:
            if (option := next((o for o in parameter.opts if o.startswith("--")), None)) is not None:
                found.setdefault(option, {})[name] = (
                    f"{parameter.metavar or ''} {parameter.help or ''}".strip()
                )
    return {option: uses for option, uses in found.items() if len(uses) > 1}


def _shared() -> str:
    """A table of the options that several commands have."""
    lines = [
        "## Options that several commands have",
        "",
        "| option | meaning | commands |",
        "| --- | --- | --- |",
    ]
    for option, uses in sorted(shared_options().items()):
        said = SEVERAL.get(option) or next(iter(uses.values()))
        metavar, _, text = said.partition(" ")
        meaning = said if option in SEVERAL or (metavar[:1].isupper() and metavar[1:2].islower()) else text
        lines.append(
            f"| `{option}` | {meaning.replace('|', chr(92) + '|')} | {', '.join(f'`{name}`' for name in uses)} |"
        )
    return "\n".join([*lines, ""])


def page() -> str:
    """The page as it should be."""
    parts = [INTRODUCTION, _shared(), _block("archinspect", _help())]
    section = ""
    for name, entry in COMMANDS.items():
        if entry.section != section:
            section = entry.section
            parts.append(f"## {section}\n")
        parts.append(_block(f"archinspect {name}", _help(name), level=3))
    return "\n".join(parts)


def _help(*command: str) -> str:
    done = run_cli(*command, "--help", env={"COLUMNS": "80"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def _block(title: str, text: str, level: int = 2) -> str:
    return f"{'#' * level} `{title}`\n\n```text\n{text}\n```\n"


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    made = page()
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    print(f"{PAGE.name} is not what the commands say now: run python -m tests.cli.reference", file=sys.stderr)
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
