"""Writing files: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

from .errors import fail

#: names of a process's own streams, which may lead to a regular file
_STREAMS = re.compile(r"/dev/(stdout|stderr|fd/\d+)\Z|/proc/self/fd/\d+\Z")


def write(content: str | bytes, path: str | os.PathLike[str]) -> None:
    """Write text (as UTF-8) or bytes to `path` atomically: a reader sees the old file or the new, never a half.

    The content goes to a neighbour file that then takes the name.  A symbolic link is followed; a stream
    (`/dev/stdout`, a pipe) is written directly.  Raises ArchinspectError (A405) when that fails.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    target = Path(path)
    try:
        if is_stream(target):
            with target.open(
                "ab"
            ) as stream:  # appended: /dev/stdout may lead to a file that others write too
                stream.write(data)
        else:
            _replace(data, target.resolve() if target.is_symlink() else target)
    except (OSError, ValueError, RuntimeError) as error:
        raise fail("A405", f"cannot write '{path}'", notes=[_reason(error)], help=_help(target)) from None


def refuse_unwritable(path: str | os.PathLike[str]) -> None:
    """Raises ArchinspectError (A405) for a path that `write` could not write to, before work is done for it."""
    target = Path(path)
    if is_stream(target):
        return
    if target.is_dir():
        code = errno.EISDIR
    elif not target.parent.is_dir():
        code = errno.ENOENT
    elif not os.access(target.parent, os.W_OK):
        code = errno.EACCES
    else:
        return
    raise fail("A405", f"cannot write '{path}'", notes=[os.strerror(code)], help=_help(target))


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether what is written there flows on and no name ends it: a device, a pipe, `/dev/stdout`."""
    target = Path(path)
    with contextlib.suppress(OSError, ValueError):
        return target.exists() and (_STREAMS.match(os.fspath(target)) is not None or not _is_of_files(target))
    return False


def _is_of_files(path: Path) -> bool:
    return path.is_file() or path.is_dir()


def _replace(data: bytes, target: Path) -> None:
    import tempfile  # only a command that writes a file needs it

    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
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
    if target.is_dir():
        return "give the name of a file"
    return "" if target.parent.is_dir() else f"the folder '{target.parent}' does not exist"
