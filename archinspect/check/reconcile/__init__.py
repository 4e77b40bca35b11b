"""Why two counts of a network differ, as a waterfall of named, exact contributions.

Of totals that are printed with their parts; `reconciliation` has the others, too.

`account` takes a printed total apart into the layers it describes; `attributes` turns described layers into the
network's, one attribute at a time; `waterfall` puts the steps together and names what is left.
"""

from __future__ import annotations

from .attributes import between
from .steps import Step
from .waterfall import Waterfall, to_variant, waterfall

__all__ = ["Step", "Waterfall", "between", "to_variant", "waterfall"]
