"""Files that a user names: read within bounds, written whole or not at all, every failure an error with the path.

Everything that a command opens by a name it was given goes through here: specs, claims, saved runs, tables of devices,
weights, models, and what is written.  A pipe that nobody writes to, or a device that never ends, is refused unopened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO

from .errors import fail

#: names of a process's own streams, which may lead to a regular file
_STREAMS = re.compile(r"/dev/(stdout|stderr|fd/\d+)\Z|/proc/self/fd/\d+\Z")
#: bytes of a text that people or we wrote: a table, a saved run of many layers
MAX_TEXT = 64 << 20

#: opening returns at once, also where a pipe has no other end; bytes are bytes (Windows)
_OPEN = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_Path = str | os.PathLike[str]


def open_file(
    path: _Path,
    *,
    code: str = "A102",
    what: str = "",
    inside: str = "name a file inside it",
    help: str = "",
    pipes: bool = True,
) -> tuple[BinaryIO, int]:
    """A regular file, opened, and its size.

    `what` stands before the path in errors ("the weights"), `inside` is the help for a folder, `help` for what is no
    file.  With `pipes` those that the shell made (`/dev/stdin`, `<(...)`) are opened too: they have a writer.  Raises
    ArchinspectError (`code`).
    """
    name = os.fspath(path)
    shown = f"{what} '{name}'" if what else f"'{name}'"
    try:
        found = os.stat(name)
        if stat.S_ISDIR(found.st_mode):
            raise fail(code, f"{shown} is a directory", help=inside)
        if not _is_readable(found.st_mode, name, pipes):
            raise fail(code, f"{shown} is not a file", help=help)
        # Should a pipe have taken the name meanwhile, opening it does not wait.
        handle = os.open(name, os.O_RDONLY | _OPEN)
        try:
            found = os.fstat(handle)
            if not _is_readable(found.st_mode, name, pipes):
                raise fail(code, f"{shown} is not a file", help=help)
            _wait_from_now_on(handle)
            return os.fdopen(handle, "rb"), found.st_size
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(handle)
            raise
    except OSError as error:
        raise fail(code, f"cannot read {shown}: {_reason(error)}", help="check the path") from None
    except ValueError:  # a NUL in the path, or what is no text of the file system
        raise fail(code, f"{shown} cannot name a file", help="check the path") from None


def _wait_from_now_on(handle: int) -> None:
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(handle, True)


def _is_readable(mode: int, name: str, pipes: bool) -> bool:
    return stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode) and name.startswith("/dev/"))


def read(
    path: _Path,
    most: int,
    *,
    code: str = "A102",
    what: str = "",
    kind: str = "",
    inside: str = "name a file inside it",
    help: str = "",
    too_large: str = "",
) -> bytes:
    """A file's bytes, at most `most`; as `open_file` otherwise.

    Raises ArchinspectError: A103 for a larger file, with `kind` ("a spec") and the help `too_large`.
    """
    file, size = open_file(path, code=code, what=what, inside=inside, help=help)
    with file:
        try:
            data = file.read(most + 1) if size <= most else b""
        except OSError as error:
            name = f"{what} '{os.fspath(path)}'".strip()
            raise fail(code, f"cannot read {name}: {_reason(error)}", help="check the path") from None
    if size > most or len(data) > most:
        size_of = f"{size:,} bytes" if size > most else f"more than {most:,} bytes"
        message = f"'{os.fspath(path)}' is too large" + (f" for {kind}" if kind else "")
        raise fail("A103", message, notes=[f"{size_of} > limit {most:,}"], help=too_large)
    return data


def read_text(path: _Path, most: int = MAX_TEXT, **options: Any) -> str:
    """A file's text in UTF-8; options as of `read`.  Raises ArchinspectError as well for what is no UTF-8."""
    return decoded(read(path, most, **options), os.fspath(path), options.get("code", "A102"))


def decoded(data: bytes, name: str, code: str = "A102") -> str:
    """Bytes as text.  Raises ArchinspectError (`code`) with the line of the first byte that is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        note = f"line {line}: byte {data[error.start]:#04x}"
        raise fail(code, f"'{name}' is not UTF-8 text", notes=[note], help="save it as UTF-8") from None


def read_json(
    path: _Path, most: int = MAX_TEXT, *, refused: str = "is not JSON", way_out: str = "", **options: Any
) -> Any:
    """What a JSON file says; options as of `read`.

    Raises ArchinspectError as well (A403) for what is no JSON, has numbers of thousands of digits, or is nested as
    deep as Python's own calls may be; `refused` is what the error says of the file, `way_out` its help.
    """
    text = read_text(path, most, **options)
    import json  # only some commands read some

    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        reason = f"not JSON: {error}" if isinstance(error, json.JSONDecodeError) else _of_json(error)
        raise fail("A403", f"'{os.fspath(path)}' {refused}", notes=[reason], help=way_out) from None


def _of_json(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it has a number of thousands of digits" if "digits" in str(error) else str(error)


def read_standard_input(most: int = MAX_TEXT) -> str:
    """The text on standard input.  Raises ArchinspectError (A102, A103)."""
    if sys.stdin is None:
        raise fail("A102", "standard input is closed", help="give a file")
    try:
        data = sys.stdin.buffer.read(most + 1) if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    except (OSError, ValueError) as error:
        raise fail("A102", f"cannot read standard input: {_reason(error)}") from None
    if len(data) > most:
        raise fail("A103", "standard input is too large", notes=[f"more than {most:,} bytes"])
    return decoded(data, "standard input")


def write(content: str | bytes, path: _Path) -> None:
    """Write text (as UTF-8) or bytes to `path` atomically: a reader sees the old file or the new, never a half.

    The content goes to a neighbour file that then takes the name.  A symbolic link is followed; a stream
    (`/dev/stdout`, a pipe) is written directly.  Raises ArchinspectError (A405) when that fails.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    target = Path(path)
    try:
        if is_stream(target):
            _append(data, target)
        else:
            _replace(data, target.resolve() if target.is_symlink() else target)
    except (OSError, ValueError, RuntimeError) as error:
        raise fail("A405", f"cannot write '{path}'", notes=[_reason(error)], help=_help(target)) from None


def refuse_unwritable(path: _Path) -> None:
    """Raises ArchinspectError (A405) for a path that `write` could not write to, before work is done for it."""
    target = Path(path)
    if is_stream(target):
        return
    if os.path.isdir(target):
        code = errno.EISDIR
    elif not os.path.isdir(target.parent):
        code = errno.ENOENT
    elif not os.access(target.parent, os.W_OK | os.X_OK):
        code = errno.EACCES
    else:
        try:
            os.lstat(target)
            return
        except FileNotFoundError:
            return
        except OSError as error:  # a name that the file system does not take
            code = error.errno or errno.EINVAL
    raise fail("A405", f"cannot write '{path}'", notes=[os.strerror(code)], help=_help(target))


def is_stream(path: _Path) -> bool:
    """Whether what is written there flows on and no name ends it: a device, a pipe, `/dev/stdout`."""
    target = Path(path)
    with contextlib.suppress(OSError, ValueError):
        return target.exists() and (_STREAMS.match(os.fspath(target)) is not None or not _is_of_files(target))
    return False


def _is_of_files(path: Path) -> bool:
    return path.is_file() or path.is_dir()


def _append(data: bytes, target: Path) -> None:
    """Write to a stream.  Appended, since /dev/stdout may lead to a file that others write too."""
    # A pipe that nobody reads is refused (ENXIO) instead of waited for.
    handle = os.open(target, os.O_WRONLY | os.O_APPEND | _OPEN)
    with os.fdopen(handle, "wb") as stream:
        _wait_from_now_on(handle)
        stream.write(data)


def _replace(data: bytes, target: Path) -> None:
    import tempfile  # only a command that writes a file needs it

    handle, name = tempfile.mkstemp(prefix=f".{target.name[:20]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _help(target: Path) -> str:
    if os.path.isdir(target):
        return "give the name of a file"
    return "" if os.path.isdir(target.parent) else f"the folder '{target.parent}' does not exist"
