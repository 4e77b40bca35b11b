"""Cross-examination: printed claims against four witnesses, and our figures against other tools'."""
