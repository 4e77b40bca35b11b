"""The command line: parse, one library call, one render.

`registry` names the commands and where they live; a command's module is imported when the command is invoked.
"""
