"""What a column of a printed table, or a claim, can state: the vocabulary of a ledger's `quantity` and `columns`."""

from __future__ import annotations

#: quantities that are computed from a network's graph → what they are
QUANTITIES: dict[str, str] = {
    "params": "learnable parameters: weights, biases, normalisation scales and shifts",
    "weights": "parameters without biases and without normalisation",
    "trainable": "parameters that are trained",
    "frozen": "parameters that are not trained",
    "non_trainable": "frozen parameters, or Keras' non-trainable ones: BatchNorm's running statistics",
    "non_trainable_bytes": "memory of what is not trained, 4 bytes each",
    "weight_bytes": "memory of the parameters, 4 bytes each",
    "activations": "values that the layers put out, for one image",
    "activation_bytes": "memory of what the layers put out, 4 bytes each where no types are known",
    "forward_backward_bytes": "memory of the outputs and of their gradients, as torchinfo and torchsummary print it",
    "macs": "multiply-accumulates of one forward pass, batch 1",
    "flops": "FLOPs of one forward pass, batch 1: 2·MACs and every other operation",
    "in_channels": "channels (or features) that enter",
    "out_channels": "channels (or features, filters, neurons) that leave",
    "kernel_size": "kernel height × width, or height × width × input channels",
    "filter": "kernel height × width × number of filters",
    "stride": "stride",
    "padding": "padding",
    "groups": "groups of a convolution",
    "input_shape": "shape that enters, height × width × channels or channels × height × width",
    "output_shape": "shape that leaves, in either order",
    "receptive_field": "input pixels per side that one output depends on",
    "type": "what kind of layer it is, and its activation, in words: Conv + ReLU",
    "depth": "layers with weights on the longest path (convolutions and fully connected layers)",
    "count": "number of layers or scopes that the selector finds",
}

#: of these a printed number may be a round one; of the others every digit counts
SIZES = frozenset(
    {
        "params",
        "weights",
        "trainable",
        "frozen",
        "non_trainable",
        "non_trainable_bytes",
        "weight_bytes",
        "activations",
        "activation_bytes",
        "forward_backward_bytes",
        "macs",
        "flops",
    }
)

#: a layer's part of the whole network's figure, in % → the quantity
SHARES = {
    "params_share": "params",
    "weights_share": "weights",
    "macs_share": "macs",
    "flops_share": "flops",
    "activations_share": "activations",
    "weight_bytes_share": "weight_bytes",
    "activation_bytes_share": "activation_bytes",
}
QUANTITIES |= {share: f"part of the network's {quantity} in %" for share, quantity in SHARES.items()}

#: roles of columns that are no quantities
LABEL = "-"  # states nothing
LAYER = "layer"  # names the row's layer
FORMULA = "formula"  # the derivation of the size in the next column that has one, else in the one before
DETAILS = "details"  # prose such as `96 filters (11x11), stride 4`
ROLES = (LABEL, LAYER, FORMULA, DETAILS)

#: what is stored of the layers' outputs, which people count in several ways
STORED = ("activations", "activation_bytes", "forward_backward_bytes")
