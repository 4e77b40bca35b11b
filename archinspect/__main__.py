"""The command line: `python -m archinspect` is `archinspect`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line on `sys.argv` and leave with its exit code."""
    # Loading modules makes many objects and no garbage: collecting every 700 of them is a tenth of the start-up.
    gc.set_threshold(50_000)
    if any(option.partition(":")[0] == "error" for option in sys.warnoptions):
        import warnings

        # Asked for of the programs that use us: what our libraries say of each other must not end a command.
        warnings.simplefilter("default")
    try:
        from .cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130  # 128 + SIGINT, as shells say it
    # The process ends and its memory with it: a last search for garbage would be another tenth.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
