"""How fast archinspect is, measured in pairs: ours and theirs in turn, in one run on one machine.

`python -m tests.benchmarks` prints the figures of docs/performance.md; `test_bounds` holds them to their bounds.
"""
