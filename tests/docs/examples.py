"""Runs the examples of a Markdown page and compares, or rewrites, what they print.

- ```` ```yaml title=net.yaml ```` (any language) writes the block to that file for the blocks that follow;
- ```` ```console ```` runs each line that starts with `$ ` in a shell, `archinspect` being this checkout's, and expects
  the lines below it (stdout and stderr together);
- ```` ```python ```` runs as a doctest where it has `>>>`, else it is executed; a page's blocks share their names;
- `<!-- not run: REASON -->` on the line before a block leaves it alone.

All blocks of a page run in one empty folder, in order.  `python -m tests.docs` rewrites the pages' console output.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support import (
    DOCS,
    ROOT,
    clean_environment,
    forget_own_modules,
    in_folder,
    printed_on,
    run_here,
    text_stream,
)

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
# a command of ours that asks nothing of a shell: no pipe, redirection, variable or second command
PLAIN = re.compile(r"""archinspect(\s+([^\s"'|<>$;&*?#\\]|'[^']*'|"[^"$`\\]*")+)*""")
NOT_RUN = re.compile(r"<!-- not run: .+? -->\n\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, title, text and place."""

    language: str
    title: str
    body: str
    start: int
    end: int
    line: int


def pages() -> list[Path]:
    """README and every page below docs/."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        if NOT_RUN.search(text[: match.start()]):
            continue
        language, _, rest = match["info"].strip().partition(" ")
        title = rest.partition("title=")[2].strip("\"' ")
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, title, match["body"], match.start("body"), match.end("body"), line))
    return found


class Page:
    """One page's examples; `run` returns the text as it should be."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "example"}
        programs = folder / ".bin"
        programs.mkdir()
        for name, command in (("archinspect", "-m archinspect "), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command}"$@"\n')
            program.chmod(0o755)
        self.environment = clean_environment({"COLUMNS": "100"})
        self.environment["PATH"] = f"{programs}{os.pathsep}{self.environment['PATH']}"

    def run(self) -> str:
        """Run every block in order; the page's text with the output that the commands really print."""
        forget_own_modules(list(sys.modules))  # also what a test imported that knows nothing of pages
        with in_folder(self.folder):  # a user's net.py is another one on another page
            return self._run()

    def _run(self) -> str:
        made, last = [], 0
        for block in blocks(self.text):
            if block.title:
                (self.folder / block.title).write_text(block.body, encoding="utf-8")
            elif block.language == "console":
                made += [self.text[last : block.start], self._console(block.body)]
                last = block.end
            elif block.language == "python":
                self._python(block)
        return "".join([*made, self.text[last:]])

    def _console(self, body: str) -> str:
        commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{self._shell(command)}" for command in commands)

    def _shell(self, command: str) -> str:
        printed = self._here(command) if PLAIN.fullmatch(command) else self._process(command)
        assert "Traceback" not in printed, f"{self.path.name}: $ {command}\n{printed}"
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())

    def _here(self, command: str) -> str:
        """What our program prints, run in this process: PyTorch is imported once, not by each example."""
        printed = text_stream()
        run_here(shlex.split(command)[1:], self.folder, self.environment, text_stream(), printed, printed)
        return printed_on(printed)

    def _process(self, command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
            check=False,
        ).stdout

    def _python(self, block: Block) -> None:
        place = f"{self.path.name}:{block.line}"
        if ">>>" not in block.body:
            with redirect_stdout(io.StringIO()):
                exec(compile(block.body, place, "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(block.body, self.names, place, str(self.path), block.line)
        out = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=out.write, clear_globs=False)
        self.names = test.globs
        assert not runner.failures, out.getvalue()
