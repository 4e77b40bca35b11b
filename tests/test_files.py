"""Reading files within bounds, and writing them whole or not at all."""

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


@pytest.mark.parametrize("name", ["missing/t.md", ".", "a\0b", "a" * 300, "file/t.md"])
def test_what_cannot_be_written_is_an_error_of_the_user(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchinspectError) as caught:
        files.write("x", tmp_path / name)
    assert caught.value.diagnostics[0].code == "A405"
    assert os.listdir(tmp_path) == ["file"]
    if "\0" not in name:
        with pytest.raises(ArchinspectError):
            files.refuse_unwritable(tmp_path / name)


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    name = "\N{FIRE}" * 60  # 240 bytes
    files.refuse_unwritable(tmp_path / name)
    files.write("x", tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the operating system answers those who are not root."""

    def denied(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("stat", "lstat", "open"):
        monkeypatch.setattr(os, name, denied)
    monkeypatch.setattr(os, "access", lambda *args: False)
    for call in (
        files.refuse_unwritable,
        lambda path: files.write("x", path),
        lambda path: files.read(path, 9),
    ):
        with pytest.raises(ArchinspectError):
            call(tmp_path / "locked" / "x.csv")


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchinspectError, match="cannot write"):
        files.write("x", tmp_path / "pipe")


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


# Reading


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("pipe", "A102", "is not a file"),
        ("none", "A102", "No such file or directory"),
        (".", "A102", "is a directory"),
        ("a\0b", "A102", "cannot name a file"),
        ("a" * 300, "A102", "File name too long"),
        ("loop", "A102", "symbolic links"),
        ("large", "A103", "is too large"),
        ("latin", "A102", "is not UTF-8 text"),
    ],
)
def test_what_cannot_be_read(name: str, code: str, message: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_text("x" * 101)
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    with pytest.raises(ArchinspectError, match=message) as caught:
        files.read_text(tmp_path / name, 100)
    assert caught.value.diagnostics[0].code == code


def test_devices_without_end_are_refused() -> None:
    for name in ("/dev/zero", "/dev/urandom", "/dev/tty"):
        with pytest.raises(ArchinspectError):
            files.read(name, 100)


READERS = [
    ("params", "{}"),
    ("params", "{}.yaml"),
    ("params", "{}.onnx"),
    ("params", "{}.pt2"),
    ("params", "{}.pth"),
    ("params", "{}.safetensors"),
    ("params", "{}.json"),
    ("check", "--claims", "{}"),
    ("check", "--claims", "{}.yaml"),
    ("check", "--claims", "{}", "-o", "ledger.yaml"),
    ("latency", "--against", "{}"),
    ("latency", "alexnet", "--predict", "a100", "--devices", "{}"),
    ("diagram", "alexnet", "--color", "latency", "--run", "{}"),
    ("export", "alexnet", "--weights", "{}", "-o", "x.onnx"),
    ("diagram", "alexnet", "--against", "{}.yaml"),
]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_no_command_waits_for_a_pipe(
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In process: it would hang here, and the time limit of the whole run would say where."""
    from archinspect.cli.app import run

    monkeypatch.chdir(tmp_path)
    for ending in ("", ".yaml", ".onnx", ".pt2", ".pth", ".safetensors", ".json"):
        os.mkfifo(f"pipe{ending}")
    before = sorted(os.listdir())
    assert run([word.format("pipe") for word in command]) == 2
    assert "error[" in capsys.readouterr().err
    assert sorted(os.listdir()) == before
