"""A graph as a PyTorch program that needs nothing of archinspect.

The way of the data: `plan` (scopes as modules) → `classes` (alike modules as one class, by `unify`) → `forward` and
`program` (text).  Nothing here imports torch.
"""

from .program import export_source

__all__ = ["export_source"]
