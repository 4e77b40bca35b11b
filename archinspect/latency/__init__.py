"""Timed forward passes that can be trusted, and what the closed form says they should be.

The way of the data: `roofline` (graph → work → floors) and `predict`, without torch; `measure` (the only part that
imports torch) takes samples, `sampling` says when there are enough, `stats` and `interleaved` what they mean, and
`conditions` what disturbed them.
"""

from __future__ import annotations
