"""archinspect: say a network once, in a short spec; get every number, picture, program and timing of it."""

from __future__ import annotations

__version__ = "0.1.0"
