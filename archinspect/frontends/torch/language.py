"""How the layers of a language model attend, as its configuration says: for the KV cache and the work of a token."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["attention_layers"]

_WORDS = {"full_attention": "full", "sliding_attention": "sliding", "chunked_attention": "sliding"}


def attention_layers(module: nn.Module) -> list[dict[str, Any]]:
    """For each layer of a decoder of transformers its kind, heads and widths; none for other modules.

    Layers are of a kind by `layer_types`, where the configuration has it; else all slide where it has a window that is
    in use.  A layer that keeps no keys (linear attention, a state space) has its own kind.
    """
    config = getattr(module, "config", None)
    if config is None or getattr(config, "is_encoder_decoder", False):
        return []
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    heads, count = _integer(text, "num_attention_heads"), _integer(text, "num_hidden_layers")
    hidden = _integer(text, "hidden_size")
    if heads is None or count is None or hidden is None:
        return []
    kv_heads = _integer(text, "num_key_value_heads") or (1 if getattr(text, "multi_query", False) else heads)
    width = _integer(text, "head_dim") or hidden // heads
    key_width, value_width = width, width
    if _integer(text, "kv_lora_rank"):  # latent attention: transformers caches keys and values of all heads
        key_width = (_integer(text, "qk_nope_head_dim") or 0) + (_integer(text, "qk_rope_head_dim") or 0)
        value_width = _integer(text, "v_head_dim") or width
    window = _integer(text, "sliding_window") or _integer(text, "attention_chunk_size")
    slides = window is not None and getattr(text, "use_sliding_window", True)
    types = (
        getattr(text, "layer_types", None) or ["sliding_attention" if slides else "full_attention"] * count
    )
    return [
        {
            "kind": _WORDS.get(kind, kind),
            "heads": heads,
            "kv_heads": kv_heads,
            "key_width": key_width,
            "value_width": value_width,
            "window": window if _WORDS.get(kind) == "sliding" else None,
        }
        for kind in types[:count]
    ]


def _integer(config: Any, name: str) -> int | None:
    value = getattr(config, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
