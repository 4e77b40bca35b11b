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
(`.txt`, `.md`, `.tex`, `.html`, `.csv`, `.json`) picks the format. `--format json` prints one JSON document and
nothing else; CSV holds raw integers, without the total row. A table fits the terminal: what is too wide folds, and
a line says what was left out. `COLUMNS` sets another width, `NO_COLOR` turns colour off; into a pipe there is none.

**Diagnostics** go to standard error.

**Exit codes**: 0 fine; 1 a check, verification or budget failed; 2 bad input or usage.

**Completion**: `archinspect --install-completion bash` (or `zsh`, `fish`, `powershell`) completes commands, options and
the names of networks; `--show-completion SHELL` prints the script instead.
"""


def page() -> str:
    """The page as it should be."""
    parts = [INTRODUCTION, _block("archinspect", _help())]
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
