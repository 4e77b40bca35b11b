"""Start commands in turn, and note each one's time and memory.  Run by itself: `python -I -S launcher.py PLAN`.

On Linux a process's peak memory counts that of the process which started it, up to the `exec`; so the one that
starts the measured commands must be small, and does nothing else.  PLAN is JSON, `{"commands": [[word, ...], ...],
"rounds": n}`; the answer is JSON too: for each command a list of `[seconds, peak_bytes]`.
"""

import json
import os
import sys
import time

KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


def once(command: list[str], quiet: int) -> tuple[float, int]:
    """Seconds from start to end, and peak resident bytes.  Exits when the command fails."""
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 1)]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"exit {os.waitstatus_to_exitcode(status)}: {' '.join(command)}")
    return seconds, usage.ru_maxrss * KIB


def main() -> None:
    plan = json.loads(sys.argv[1])
    quiet = os.open(os.devnull, os.O_WRONLY)
    samples: list[list[tuple[float, int]]] = [[] for _ in plan["commands"]]
    for warm_up in (True, *[False] * plan["rounds"]):
        for command, noted in zip(plan["commands"], samples, strict=True):
            sample = once(command, quiet)
            if not warm_up:
                noted.append(sample)
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
