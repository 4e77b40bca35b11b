"""Names that a layer cannot have, because every torch.nn.Module or torch.fx.GraphModule has an attribute of that name.

The list is PyTorch's; a test compares it with the installed one.  `self` is what the forward pass calls the module.
"""

from __future__ import annotations

_WORDS = """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu input
load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
to_empty train training type xpu zero_grad graph code recompile delete_submodule
delete_all_unused_submodules add_submodule print_readable meta shape_env to_folder self
"""
RESERVED = frozenset(_WORDS.split())
