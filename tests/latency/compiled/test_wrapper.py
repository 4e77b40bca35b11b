"""Marks in compiled code, and code that is not understood: on code in inductor's form whose answer is known."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest
from torch import fx

from archinspect.latency.measure.inductor import Wrapper
from archinspect.latency.measure.provenance import NotUnderstoodError, Operation

#: as inductor writes for a GPU; `ran` stands for the device
CODE = """
ran = []

class Kernel:
    def __init__(self, name):
        self.name = name

    def run(self, *args, stream):
        ran.append(self.name)

def empty_strided_cuda(*args):
    return None

assert_size_stride = reinterpret_tensor = get_raw_stream = empty_strided_cuda
triton_poi_fused_relu_0 = Kernel('relu')
triton_poi_fused_add_1 = Kernel('add')

class extern_kernels:
    @staticmethod
    def mm(a, b, out):
        ran.append('mm')

class Guard:
    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass

class Runner:
    def __init__(self, partitions):
        self.partitions = partitions

    def call(self, args):
        arg0_1, arg1_1 = args
        args.clear()
        with Guard():
            buf0 = empty_strided_cuda((1, 8), (8, 1), 'float')
            assert_size_stride(arg0_1, (1, 8), (8, 1), 'input')
            # Topologically Sorted Source Nodes: [relu], Original ATen: [aten.relu]
            # [Provenance debug handles] triton_poi_fused_relu_0:0
            stream0 = get_raw_stream(0)
            triton_poi_fused_relu_0.run(arg0_1, buf0, 8, stream=stream0)
            del arg0_1
            buf1 = empty_strided_cuda((1, 4), (4, 1), 'float')
            # [Provenance debug handles] extern_kernels.mm:1
            extern_kernels.mm(buf0, reinterpret_tensor(arg1_1, (8, 4), (1, 8), 0), out=buf1)
            del arg1_1
            del buf0
            buf2 = buf1; del buf1  # reuse
            # [Provenance debug handles] triton_poi_fused_add_1:2
            triton_poi_fused_add_1.run(buf2, 4, stream=stream0)
        return (buf2, )
"""
NODE = fx.Graph().placeholder("x")
ANNOUNCED = {number: (Operation(NODE, True, frozenset([NODE])),) for number in range(3)}


def loaded(code: str) -> tuple[dict[str, Any], FunctionType]:
    names: dict[str, Any] = {}
    exec(compile(code, "generated.py", "exec", dont_inherit=True), names)
    return names, names["Runner"].call


def wrapper(code: str = CODE) -> Wrapper:
    return Wrapper(loaded(code)[1], code, ANNOUNCED)


def test_kernels_are_found_in_the_order_of_their_calls() -> None:
    assert [kernel.name for kernel in wrapper().kernels] == [
        "triton_poi_fused_relu_0",
        "extern_kernels.mm",
        "triton_poi_fused_add_1",
    ]


def test_marks_stand_before_all_kernels_and_after_those_named_and_can_be_switched_off() -> None:
    names, function = loaded(CODE)
    ran: list[Any] = names["ran"]
    switch = Wrapper(function, CODE, ANNOUNCED).mark_kernels({0: 1, 2: 2}, ran.append)
    call = names["Runner"]([]).call  # bound before, as everything that runs compiled code holds it

    def run() -> list[Any]:
        ran.clear()
        call([None, None])
        return list(ran)

    assert run() == ["relu", "mm", "add"]
    for _ in range(2):
        switch(True)
        assert run() == [0, "relu", 1, "mm", "add", 2]
        switch(False)
        assert run() == ["relu", "mm", "add"]


def test_what_is_freed_after_a_kernel_belongs_to_it() -> None:
    names, function = loaded(CODE)
    seen: list[str] = []

    class Freed:
        def __del__(self) -> None:
            seen.append("freed")

    switch = Wrapper(function, CODE, ANNOUNCED).mark_kernels(
        {0: 1, 1: 2, 2: 3}, lambda n: seen.append(str(n))
    )
    switch(True)
    arguments = [Freed(), None]
    names["Runner"]([]).call(arguments)
    assert seen == ["0", "freed", "1", "2", "3"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        # a call of which nobody said what it is
        (
            "            buf1 = empty",
            "            surprise(buf0)\n            buf1 = empty",
            r"0 notes .*surprise",
        ),
        (
            "            # [Provenance debug handles] extern_kernels.mm:1\n",
            "",
            r"0 notes .*extern_kernels\.mm",
        ),
        # one call for two notes
        ("            triton_poi_fused_relu_0.run(arg0_1, buf0, 8, stream=stream0)\n", "", r"2 notes"),
        # a loop, in which a kernel would run more than once
        (
            "            del arg1_1\n",
            "            for _ in range(2):\n                pass\n",
            "a statement 'for",
        ),
    ],
)
def test_code_of_another_form_is_refused(old: str, new: str, reason: str) -> None:
    code = CODE.replace(old, new)
    assert code != CODE
    with pytest.raises(NotUnderstoodError, match=reason):
        wrapper(code)


def test_code_that_is_not_what_runs_is_refused() -> None:
    function = loaded(CODE)[1]
    with pytest.raises(NotUnderstoodError, match="not the code that was written"):
        Wrapper(function, CODE.replace("buf2, 4, stream", "buf2, 5, stream"), ANNOUNCED)
    with pytest.raises(NotUnderstoodError, match=r"no function Runner\.call"):
        Wrapper(function, CODE.replace("def call(", "def forward("), ANNOUNCED)
