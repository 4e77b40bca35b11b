"""How much of what others built can be captured: every model of the libraries, held against PyTorch's own counter."""
