"""Every network that ships, held against its paper, other implementations, and the real module."""
