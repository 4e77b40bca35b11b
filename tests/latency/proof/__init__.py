"""What a sceptic would ask of timing: `python -m tests.latency.proof` on a CPU, `python -m tests.gpu` on a GPU."""
