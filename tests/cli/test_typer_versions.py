"""The command line with the typer that is installed, and what newer ones do differently."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from archinspect.cli.typer_versions import UsageError, keep_pydantic_out
from tests.support import ROOT, run_python


def parameter(annotation: Any, *, multiple: bool = False, nargs: int = 1, least: int | None = None) -> Any:
    """A parameter as typer has it from 0.29 on, before pydantic is asked to convert for it."""
    return SimpleNamespace(
        _runtime_param=None,
        multiple=multiple,
        nargs=nargs,
        type_descriptor=SimpleNamespace(
            annotation=annotation, parameter_info=SimpleNamespace(min=least, max=None)
        ),
    )


@pytest.mark.parametrize(
    ("given", "value", "made"),
    [
        (parameter(str), "vgg16", "vgg16"),
        (parameter(str), None, None),
        (parameter(bool), True, True),
        (parameter(int, least=1), "2", 2),
        (parameter(float), 20.0, 20.0),
        (parameter(float), "0.5", 0.5),
        (parameter(Path), "a/b", Path("a/b")),
        (parameter(list[str], multiple=True), None, ()),
        (parameter(list[str], multiple=True), ["a=1", "b=2"], ["a=1", "b=2"]),
        (parameter(list[Path], nargs=-1), ("a",), [Path("a")]),
    ],
)
def test_words_become_values_without_pydantic(given: Any, value: Any, made: Any) -> None:
    [kept] = keep_pydantic_out([given])
    assert kept._runtime_param.coerce(value, kept, None) == made


@pytest.mark.parametrize(
    ("word", "says"), [("x", "'x' is not a valid integer"), ("0", "0 is not in the range x>=1")]
)
def test_a_word_that_is_no_value_is_refused(word: str, says: str) -> None:
    [kept] = keep_pydantic_out([parameter(int, least=1)])
    with pytest.raises(typer.BadParameter, match=re.escape(says)) as raised:
        kept._runtime_param.coerce(word, kept, None)
    assert isinstance(raised.value, UsageError)


def test_parameters_of_an_older_typer_are_left_alone() -> None:
    old = SimpleNamespace(type="STRING")
    assert keep_pydantic_out([old]) == [old]
    assert vars(old) == {"type": "STRING"}


def test_click_is_nowhere_imported() -> None:
    """Newer releases of typer bring their own, and a plain installation has no other."""
    importing = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "archinspect").rglob("*.py")
        if re.search(r"^\s*(import|from) click\b", path.read_text(encoding="utf-8"), re.M)
    ]
    assert importing == []


def test_no_typer_makes_a_command_import_pydantic() -> None:
    done = run_python(
        "-c",
        "import sys; from archinspect.cli.app import run; run(['params', 'lenet5', '--depth', '1']);"
        "print('pydantic' in sys.modules, file=sys.stderr)",
    )
    assert done.stderr.strip() == "False"
