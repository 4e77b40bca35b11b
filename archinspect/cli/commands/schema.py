"""`schema`: the JSON Schema of the spec language."""

from __future__ import annotations

import json

from ...frontends.spec import json_schema
from ..options import OutputFile
from ..output import emit_text


def schema(output: OutputFile = None) -> None:
    """Print the JSON Schema of the spec language.

    Editors that know YAML check and complete specs with it.
    """
    emit_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", output)
