"""Writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from archinspect import files
from archinspect.errors import ArchinspectError


def test_writes_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "t.md"
    files.write("×1\n", file)
    files.write("×2\n", file)
    assert file.read_text(encoding="utf-8") == "×2\n"
    assert os.listdir(tmp_path) == ["t.md"]


def test_a_new_file_has_ordinary_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    old, new, plain = tmp_path / "old", tmp_path / "new", tmp_path / "plain"
    plain.write_text("")
    old.write_text("")
    old.chmod(0o640)
    files.write("x", old)
    files.write("x", new)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == plain.stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    files.write(b"x", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["missing/t.md", ".", "a\0b"])
def test_what_cannot_be_written_is_an_error_of_the_user(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        files.write("x", tmp_path / name)
    assert caught.value.diagnostics[0].code == "A405"
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.md"
    file.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchinspectError, match="No space left on device"):
        files.write("new", file)
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["t.md"]


def test_a_stream_is_written_as_it_comes(tmp_path: Path) -> None:
    script = "from archinspect.files import write; write('second\\n', '/dev/stdout')"
    log = tmp_path / "log"
    log.write_text("first\n")
    with log.open("a") as stream:
        subprocess.run([sys.executable, "-c", script], stdout=stream, check=True)
    assert log.read_text() == "first\nsecond\n"
    piped = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"second\n"


def test_what_is_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    found = {name: files.is_stream(tmp_path / name) for name in ("pipe", "file", "absent", "a\0b", ".")}
    assert found == {"pipe": True, "file": False, "absent": False, "a\0b": False, ".": False}
    assert files.is_stream("/dev/null")
