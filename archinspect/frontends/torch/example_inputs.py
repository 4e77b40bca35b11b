"""What models of transformers and diffusers take when nobody asks for another input, told by forward and their config.

Batch 1; texts of 128 tokens, images and videos of the size that the model was made for, a second of audio.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .build import ExampleInput

__all__ = ["diffusers_inputs", "transformers_inputs"]

#: tokens of a text, samples of a second of audio, frames of its features, frames of a video
TOKENS, AUDIO, FRAMES, VIDEO = 128, 16_000, 100, 16
#: patches along each side of an image that comes as a list of patches
GRID = 16

#: parts of a configuration that say what an input of a kind looks like
_TEXT = ("text_config", "text_encoder", "decoder", "decoder_config", "encoder", "encoder_config")
_VISION = ("vision_config", "backbone_config", "image_encoder_config", "vision_encoder_config", "encoder")
_SOUND = (
    "audio_config",
    "audio_encoder_config",
    "audio_encoder",
    "encoder_config",
    "speech_config",
    "encoder",
)
#: how a configuration says that images, sounds or videos take the places of some tokens: text alone is enough there
_PLACEHOLDERS = (
    "image_token_id",
    "image_token_index",
    "audio_token_id",
    "audio_token_index",
    "video_token_id",
)


def transformers_inputs(module: nn.Module, config: Any) -> list[ExampleInput]:
    """What a model of transformers takes: its main input, what forward demands, and what its kind needs beside them."""
    parameters = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    accepted = [parameter.name for parameter in parameters]
    main = getattr(module, "main_input_name", "input_ids")
    wanted = [name for name in ([main] if isinstance(main, str) else main) if name in accepted]
    wanted += [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
    if not wanted:
        wanted = accepted[:1] or [main]
    contrastive = {"input_ids", "pixel_values"} <= set(accepted) and _has(
        config, "text_config", "vision_config"
    )
    if contrastive and not _has_any(config, *_PLACEHOLDERS) and not _is_generative(module):
        wanted += ["input_ids", "pixel_values"]
    if _setting(config, (), "is_encoder_decoder") and "decoder_input_ids" in accepted:
        wanted.append("decoder_input_ids")
    if _has(config, "relative_bias_args"):  # which looks at where the words are on the page
        wanted.append("bbox")
    found = []
    for name in dict.fromkeys(wanted):
        example = _transformers_input(name, config, accepted)
        if example is not None:
            found.append(example)
    return found


def _has(config: Any, *names: str) -> bool:
    return all(getattr(config, name, None) is not None for name in names)


def _has_any(config: Any, *names: str) -> bool:
    return any(getattr(config, name, None) is not None for name in names)


def _is_generative(module: nn.Module) -> bool:
    """A language model that images may be put into runs on text alone, too."""
    return "Generation" in type(module).__name__ or "CausalLM" in type(module).__name__


def _setting(config: Any, parts: Sequence[str], *names: str, default: Any = None) -> Any:
    """A setting of a configuration, or of the first of these parts of it that has one."""
    for place in (config, *(getattr(config, part, None) for part in parts)):
        for name in names:
            value = getattr(place, name, None)
            if value is not None and not isinstance(value, type(config)):
                return value
    return default


def _transformers_input(name: str, config: Any, accepted: Sequence[str]) -> ExampleInput | None:
    if name.endswith("input_ids") or name == "task_inputs":
        return _tokens(name, config)
    if name == "bbox":
        count = _length(config)
        return ExampleInput(name, (1, count, 4), tensor=torch.zeros(1, count, 4))
    if name in ("pixel_values", "pixel_values_videos", "hidden_states", "prompt_pixel_values"):
        if any(grid in accepted for grid in _GRIDS):
            return ExampleInput(name, _patches(config, accepted))
        return None if name == "hidden_states" else _image(name, config)
    if name in _GRIDS:
        return ExampleInput(name, (1, 3), torch.int64, torch.tensor([[1, GRID, GRID]]))
    if name == "merge_sizes":
        size = int(_setting(config, _VISION, "spatial_merge_size", default=1))
        return ExampleInput(name, (1,), torch.int64, torch.tensor([size]))
    if name == "input_values":
        if _setting(config, _SOUND, "num_mel_bins", "max_length") and _has(config, "frequency_stride"):
            return ExampleInput(name, (1, config.max_length, config.num_mel_bins))  # a spectrogram
        channels = _setting(config, _SOUND, "audio_channels")
        by_channel = isinstance(channels, int) or _has_any(config, "hop_length", "downsampling_ratios")
        return ExampleInput(name, (1, channels or 1, AUDIO) if by_channel else (1, AUDIO))
    if name == "input_features":
        return ExampleInput(name, _features(config))
    if name.endswith("_mask"):
        shape = _features(config)[:2] if "feature" in name else (1, _length(config))
        return ExampleInput(name, shape, torch.bool, torch.ones(shape, dtype=torch.bool))
    if name in ("inputs_embeds", "query_embeds", "inputs", "context_hidden_states"):
        width = _setting(config, _TEXT, "d_model", "hidden_size", default=768)
        return ExampleInput(name, (1, TOKENS, int(width)))
    if name.startswith("past_"):
        return _series(name, config)
    if name == "freq":  # how fine a time series is: 0, daily or finer
        return ExampleInput(name, (1, 1), torch.int64, torch.zeros(1, 1, dtype=torch.int64))
    if name == "latents":
        width = _setting(config, _SOUND, "codebook_dim", "latent_dim", "hidden_size", default=512)
        return ExampleInput(name, (1, int(width), TOKENS))
    return None


_GRIDS = ("grid_thw", "image_grid_thw")


def _length(config: Any) -> int:
    """The length of a text: 128 tokens, or as many as the model takes."""
    longest = _setting(config, _TEXT, "max_position_embeddings", "n_positions", default=TOKENS)
    return min(TOKENS, longest) if isinstance(longest, int) and longest > 0 else TOKENS


def _tokens(name: str, config: Any) -> ExampleInput:
    vocabulary = int(_setting(config, _TEXT, "vocab_size", default=1000))
    count = _length(config)
    # Ids of the middle of the vocabulary, away from those that mean padding or an end.
    ids = (torch.arange(count) + vocabulary // 2) % vocabulary
    return ExampleInput(name, (1, count), torch.int64, ids[None])


def _image(name: str, config: Any) -> ExampleInput:
    size = _setting(config, _VISION, "image_size", "crop_size", "img_size", default=224)
    height, width = (size, size) if isinstance(size, int) else _sides(size)
    channels = int(_setting(config, _VISION, "num_channels", "in_channels", "in_chans", default=3))
    frames = _setting(config, _VISION, "num_frames", "frames_per_clip")
    if name.endswith("videos") or frames is not None or _has(config, "video_token_index"):
        return ExampleInput(name, (1, int(frames or VIDEO), channels, height, width))
    return ExampleInput(name, (1, channels, height, width))


def _patches(config: Any, accepted: Sequence[str]) -> tuple[int, ...]:
    """The patches of an image, one after the other, as vectors, or as small images where they are convolved."""
    patch = int(_setting(config, _VISION, "patch_size", default=14))
    channels = int(_setting(config, _VISION, "in_channels", "in_chans", "num_channels", default=3))
    depth = int(_setting(config, _VISION, "temporal_patch_size", default=1))
    if "pixel_values" in accepted and not _has_any(config, "temporal_patch_size", "spatial_merge_size"):
        return GRID * GRID, channels, patch, patch
    return GRID * GRID, channels * depth * patch**2


def _features(config: Any) -> tuple[int, ...]:
    """Features of a sound: bins first and thirty seconds where a model has a place for each, as Whisper, else last."""
    bins = int(
        _setting(
            config,
            _SOUND,
            "input_dim",
            "num_mel_bins",
            "input_feat_per_channel",
            "n_mels",
            "feature_size",
            "feature_projection_input_dim",
            "input_feat_size",
            default=80,
        )
    )
    places = _setting(config, _SOUND, "max_source_positions")
    if isinstance(places, int) and not _has(config, "input_feat_per_channel"):
        return 1, bins, 2 * places
    return 1, FRAMES, bins


def _series(name: str, config: Any) -> ExampleInput | None:
    """The past of a time series, with the lags that a model looks back to."""
    count = int(_setting(config, (), "context_length", default=TOKENS))
    if name == "past_values_padding":
        return ExampleInput(name, (1, count), torch.int64, torch.zeros(1, count, dtype=torch.int64))
    if _has(config, "lags_sequence"):
        count += max(config.lags_sequence)
        shape = (1, count) if getattr(config, "input_size", 1) == 1 else (1, count, config.input_size)
        if name == "past_time_features":
            return ExampleInput(name, (1, count, int(_setting(config, (), "num_time_features", default=0))))
        return ExampleInput(name, shape)
    channels = _setting(config, (), "num_input_channels")
    return ExampleInput(name, (1, count) if channels is None else (1, count, int(channels)))


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        if "height" in size:
            return int(size["height"]), int(size["width"])
        size = [int(next(iter(size.values())))] * 2
    height, width = list(size)[-2:]
    return int(height), int(width)


#: tokens of a prompt and of an image in a denoiser that works on tokens; frames of a video, one more than 8
PROMPT, SIDE, CLIP = 77, 32, 9
#: names of the layer that a denoiser's sample goes into first, and of that which a prompt's states go into
_FIRST = re.compile(
    r"conv_in|x_embedder|img_in|proj_in|patch_embed(ding|der)?|pos_embed|input_(proj|blocks)|patchify|encoder|embedder"
)
_PROMPT = re.compile(
    r"context_embed|text_embedder|txt_in|caption_(projection|embed)|condition_embedder\.text|encoder_hid_proj"
    r"|context_in|text_proj|cap_embed|c_embedder|encoder_proj|cond_embed|text_in"
)
#: what forward takes beside a sample, where it has a place for it
_USUAL = (
    "timestep",
    "encoder_hidden_states",
    "pooled_projections",
    "guidance",
    "txt_ids",
    "img_ids",
    "img_shapes",
)


def diffusers_inputs(module: nn.Module) -> list[ExampleInput]:
    """What a model of diffusers takes: a sample as its first layer reads it, a time step, the states of a prompt."""
    parameters = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    found = []
    for number, parameter in enumerate(parameters):
        demanded = parameter.default is inspect.Parameter.empty
        if number == 0:
            found.append(ExampleInput(parameter.name, _sample(module)))
        elif demanded or parameter.name in _USUAL:
            example = _beside_a_sample(parameter.name, module)
            if example is not None:
                found.append(example)
    return found


def _layer(module: nn.Module, names: re.Pattern[str] | None) -> nn.Module | None:
    """The first convolution or linear layer whose path begins with one of these names, or of all layers."""
    for path, part in module.named_modules():
        kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
        if isinstance(part, kinds) and (names is None or names.match(path)):
            return part
    return None


def _sample(module: nn.Module) -> tuple[int, ...]:
    """The shape of a sample: an image, a video or a sound by what the first layer convolves, else tokens."""
    config: Any = module.config
    first = _layer(module, _FIRST) or _layer(module, None)
    own: Any = getattr(config, "in_channels", None)
    patch: Any = getattr(config, "patch_size", None)
    cuts = isinstance(own, int) and isinstance(patch, int) and patch > 1
    if isinstance(first, nn.Linear) and not (cuts and first.in_features == own * patch**2):
        return 1, SIDE * SIDE, first.in_features
    dimensions = {nn.Conv1d: 1, nn.Conv3d: 3}
    rank = next((rank for kind, rank in dimensions.items() if isinstance(first, kind)), 2)
    channels = own or getattr(first, "in_channels", None) or 3
    size = getattr(config, "sample_size", None) or 64
    height, width = (size, size) if isinstance(size, (int, float)) else _sides(size)
    height, width = int(height), int(width)
    kind = type(module).__name__
    if rank == 1:
        return 1, int(channels), height if height > SIDE * SIDE else AUDIO
    if "SpatioTemporal" in kind:
        return 1, CLIP, int(channels), height, width
    if rank == 3 or "3D" in kind or "Motion" in kind:
        return 1, int(channels), CLIP, height, width
    return 1, int(channels), height, width


def _beside_a_sample(name: str, module: nn.Module) -> ExampleInput | None:
    config: Any = module.config
    if "timestep" in name:
        return ExampleInput(name, (1,), torch.int64, torch.ones(1, dtype=torch.int64))
    if name == "guidance" and not getattr(config, "guidance_embeds", False):
        return None
    if name in ("guidance", "scale", "gamma"):
        return ExampleInput(name, (1,))
    if name.startswith("encoder_hidden_states") or name in ("text_bth", "context"):
        width = _prompt_width(module)
        return None if width is None else ExampleInput(name, (1, PROMPT, width))
    if name.startswith("pooled_projection"):
        width = getattr(config, "pooled_projection_dim", None)
        return ExampleInput(name, (1, width)) if isinstance(width, int) else None
    if name.endswith("mask"):
        return ExampleInput(name, (1, PROMPT), torch.bool, torch.ones(1, PROMPT, dtype=torch.bool))
    if name in ("txt_ids", "img_ids"):
        axes = len(getattr(config, "axes_dims_rope", None) or (0, 0, 0))
        count = PROMPT if name == "txt_ids" else SIDE * SIDE
        return ExampleInput(name, (count, axes), tensor=torch.zeros(count, axes))
    if name == "img_shapes":
        return ExampleInput(name, (1, SIDE, SIDE), tensor=[[(1, SIDE, SIDE)]])
    if name == "added_time_ids":
        return ExampleInput(name, (1, 3))
    if name == "controlnet_cond":
        sample = _sample(module)
        return ExampleInput(name, sample if len(sample) == 3 else (1, 3, 8 * sample[-2], 8 * sample[-1]))
    return None


def _prompt_width(module: nn.Module) -> int | None:
    """The width of a prompt's states, by the config or by the layer that reads them."""
    config: Any = module.config
    for setting in (
        "caption_channels",
        "cross_attention_dim",
        "joint_attention_dim",
        "text_dim",
        "text_embed_dim",
        "caption_dim",
        "encoder_hid_dim",
        "in_channels_t",
    ):
        width = getattr(config, setting, None)
        if isinstance(width, (list, tuple)):
            width = width[0]
        if isinstance(width, int):
            return width
    layer = _layer(module, _PROMPT)
    return layer.in_features if isinstance(layer, nn.Linear) else None
