"""Random networks, damaged files, interrupts and odd surroundings, against everything: `python -m tests.harness`."""
