"""Block diagrams: boxes that know their size, put beside and below each other."""
