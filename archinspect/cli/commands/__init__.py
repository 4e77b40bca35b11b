"""One file per command group: parse, one library call, one render."""
