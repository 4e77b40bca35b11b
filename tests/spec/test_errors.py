"""Errors as a user meets them: code, place, path, a way out; all of them at once, and no echo of one in another."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from archinspect.errors import ArchinspectError, Diagnostic
from archinspect.frontends.spec import load_graph

from ..support import run_cli
from .support import refused

HEAD = "name: net\ninput: 3x32x32\n"


def errors_of(body: str, head: str = HEAD) -> tuple[Diagnostic, ...]:
    return refused(f"{head}layers:\n{body}")


def texts(diagnostic: Diagnostic) -> str:
    """What the carets underline."""
    span = diagnostic.span
    assert span is not None
    return span.text[span.column - 1 : span.column - 1 + span.length]


#: body of `layers:` → code, what is underlined, path, a part of the help
SINGLE: dict[str, tuple[str, str, str, str]] = {
    "  - a: conv2D(8, 3)\n": ("A202", "conv2D", "a", "did you mean 'conv2d'?"),
    "  - a: nn.MaxPool2d(2)\n": ("A202", "nn.MaxPool2d", "a", "did you mean 'max_pool2d'?"),
    "  - a: Dense(10)\n": ("A202", "Dense", "a", "did you mean 'linear'?"),
    "  - a: xyz(3)\n": ("A202", "xyz", "a", "archinspect ops"),
    "  - s: relu -> cnv2d(8, 3) -> tanh\n": ("A202", "cnv2d", "s.cnv2d", "did you mean 'conv2d'?"),
    "  - relu -> conv2d(8, 3, pad=1)\n": ("A203", "pad=1", "conv2d", "did you mean 'padding'?"),
    "  - a: vgg16(num_clases=10)\n": ("A203", "num_clases=10", "a", "num_classes"),
    "  - a: conv2d(3, 64, 3)\n": ("A302", "conv2d(3, 64, 3)", "a", "did you mean conv2d(64, 3)?"),
    "  - a: flatten -> linear(3072, 10)\n": ("A206", "10", "a.linear", "did you mean linear(10)?"),
    "  - add()\n": ("A204", "add()", "add", "add(a, b)"),
    "  - s:\n      - a: conv2d(8, 3, strides=2)\n": ("A203", "strides=2", "s.a", "did you mean 'stride'?"),
    "  - a: conv2d(8, 3, in_channels=3)\n": ("A203", "in_channels=3", "a", "inferred"),
    "  - a: conv2d(8)\n": ("A204", "conv2d(8)", "a", "conv2d(out_channels, kernel_size"),
    "  - a: relu(3)\n": ("A205", "3", "a", "write relu()"),
    "  - a: conv2d(8, 3, kernel_size=3)\n": ("A205", "kernel_size=3", "a", "write conv2d("),
    "  - a: conv2d(3, 8, kernel_size=3)\n": (
        "A205",
        "kernel_size=3",
        "a",
        "did you mean conv2d(8, kernel_size=3)?",
    ),
    "  - b: batch_norm2d(64)\n": ("A205", "64", "b", "did you mean batch_norm2d()?"),
    "  - b: tokens -> lstm(3, 128)\n": ("A205", "3", "b.lstm", "did you mean lstm(128)?"),
    "  - b: tokens -> multihead_attention(3, 1, 1)\n": ("A206", "1", "b.multihead_attention", "(1, 1)?"),
    "  - a: tokens -> softmax\n": ("A305", "softmax", "a.softmax", "dim=sequence or dim=feature"),
    "  - a: tokens -> chunk(3)\n": ("A305", "chunk(3)", "a.chunk", "dim=sequence or dim=feature"),
    "  - a_: conv2d(8, 3)\n  - s: add(a_)\n": ("A204", "add(a_)", "s", "add(a_, a_)"),
    "  - a: conv2d(8, 3, activation='relu')\n": ("A203", "activation='relu'", "a", "-> relu"),
    "  - a: view(10)\n": ("A202", "view", "a", "did you mean 'reshape'?"),
    "  - a: weight_norm(3)\n": ("A202", "weight_norm", "a", "net.py:Net"),
    "  - a: xpand(2)\n": ("A202", "xpand", "a", "archinspect ops"),  # no name that only sounds alike
    "  - conv2d: 8, 3\n": ("A201", "8, 3", "conv2d", "- conv2d(8, 3)"),
    "  - add:\n      a: conv2d(3, 3)\n      b: identity\n": ("A304", "add", "add", "padding=1"),
    "  - a: conv2d(8, 3, stride='2')\n": ("A206", "stride='2'", "a", "'stride' takes int or (int, int)"),
    "  - a: conv2d(8, 6 / 2)\n": ("A206", "6 / 2", "a", "write 3"),
    "  - a: conv2d('8' + 1, 3)\n": ("A206", "'8' + 1", "a", "numbers"),
    "  - a: conv2d(8, 3, padding='sme')\n": ("A207", "padding='sme'", "a", "'padding' takes"),
    "  - a: max_pool2d(3, padding=2)\n": ("A207", "padding=2", "a", "at most 1"),
    "  - a: conv2d(wdth, 3)\n": ("A208", "wdth", "a", "argument"),
    "  - 1x1: relu\n": ("A209", "1x1", "1x1", "_1x1"),
    "  - __class__: relu\n": ("A209", "__class__", "__class__", "class_"),
    "  - _modules: relu\n": ("A209", "_modules", "_modules", "modules_"),
    "  - s:\n      - a: relu\n      - a: tanh\n": ("A210", "a", "s.a", "differently"),
    "  - a: conv2d(8 // 0, 3)\n": ("A213", "8 // 0", "a", "divisor"),
    "  - a: conv2d([8], 3)\n": ("A206", "[8]", "a", "takes int"),
    "  - a: conv2d(*x)\n": ("A213", "*x", "a", "by itself"),
    "  - a: conv2d(8, 3\n": ("A201", "(", "a", "closing bracket"),
    "  - a: conv2d(8 3)\n": ("A201", "8", "a", "comma"),
    "  - a: conv2d(stride=1, 8)\n": ("A201", ")", "a", "without a name"),
    "  - relu -> -> tanh\n": ("A201", ">", "relu", "both sides"),
    "  - a: flatten -> conv2d(8, 3)\n": ("A301", "conv2d(8, 3)", "a.conv2d", "flatten"),
    "  - a: linear(8)\n": ("A301", "linear(8)", "a", "put flatten before it"),
    "  - a: conv2d(8, 40)\n": ("A302", "conv2d(8, 40)", "a", "smaller kernel"),
    "  - a: conv2d(8, 3, groups=2)\n": ("A303", "groups=2", "a", "divide 3"),
    "  - add:\n      a: conv2d(8, 1)\n      b: identity\n": ("A304", "add", "add", "1×1"),
    "  - add:\n      a: relu\n": ("A107", "add", "add", "'name: layers'"),
    "  - add:\n    - relu\n    - b: tanh\n": ("A107", "relu", "", "shortcut"),
    "  - a:\n": ("A107", "a", "a", "relu"),
    "  - [relu]\n": ("A107", "[", "", "give it a name"),
    "  a: relu\n  a: tanh\n": ("A106", "a", "a", "another name"),
}


@pytest.mark.parametrize("body", SINGLE)
def test_one_error(body: str) -> None:
    (error,) = errors_of(body)
    assert (error.code, texts(error), error.path) == SINGLE[body][:3]
    assert SINGLE[body][3] in error.help
    assert error.notes or error.code not in {"A301", "A302", "A303", "A304"}, "no arithmetic"


def test_every_error_of_a_file_is_reported_in_reading_order() -> None:
    body = "".join(
        part
        for part, (code, *_) in SINGLE.items()
        if part.startswith("  - a:") and code < "A300" and code != "A107"
    )
    parts = [
        line.replace("- a:", f"- a{number}:") for number, line in enumerate(body.splitlines(keepends=True))
    ]
    errors = errors_of("".join(parts))
    lines = [error.span.line for error in errors if error.span]
    assert lines == list(range(4, 4 + len(parts)))


def test_independent_shape_errors_are_reported_together() -> None:
    body = """  - a: max_pool2d(99)
  - b: conv2d(8, 3, groups=3)
  - c: conv2d(16, 9999)
  - add:
      body: conv2d(16, 3, stride=2, padding=1)
      shortcut: identity
  - fc: linear(10)
  - d: linear(0)
"""
    assert [(e.code, e.path) for e in errors_of(body)] == [
        ("A302", "a"),
        ("A303", "b"),
        ("A304", "add"),
        ("A301", "fc"),
        ("A207", "d"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "  - add:\n      a: conv2d(3, 40)\n      b: identity\n  - c: max_pool2d(30)\n",  # the window error alone
        "  - a: cnv2d(8, 3)\n  - b: conv2d(9, 3, groups=3)\n  - c: linear(10)\n",
        "  - a: conv2d(\n  - b: conv2d(2 * in_channels, 3)\n",
        "  - add:\n      a: relu\n      a: tanh\n",
        "  - add:\n      a: conv2d(\n      b: relu\n",
        "  - x if y >: relu\n  - b: relu\n",
        "  - add:\n      a: conv2d(8, 3, padding=1)\n      b: relu\n  - c: conv2d(4, 1, groups=4)\n",
    ],
)
def test_one_mistake_is_one_error(body: str) -> None:
    assert len(errors_of(body)) == 1


@pytest.mark.parametrize(
    "head",
    [
        HEAD + "arguments: {w: [1]}\n",
        HEAD + "arguments: {w: 8}\nblocks:\n  b(x, x):\n    - c: conv2d(w, x)\n",
        HEAD + "blocks:\n  b(x:\n    - c: conv2d(8, x)\n",
        HEAD + "Layers: [relu]\n",
    ],
)
def test_uses_of_what_could_not_be_read_are_no_errors(head: str) -> None:
    body = "layers:\n  - a: conv2d(w, 1)\n" if "w:" in head else "layers:\n  - a: b(1)\n"
    text = head + (body if "Layers" not in head else "")
    assert len(refused(text)) == 1


def test_an_error_inside_blocks_shows_every_use_and_the_path() -> None:
    blocks = "blocks:\n  inner(k):\n    - conv: conv2d(8, k, pading=1)\n  outer():\n    - twice: inner(3)\n"
    (error,) = errors_of("  - stage:\n      - body: outer()\n", HEAD + blocks)
    assert (error.code, error.path) == ("A203", "stage.body.twice.conv")
    assert [(span.line, label) for span, label in error.related] == [
        (7, "block 'inner' used here"),
        (10, "block 'outer' used here"),
    ]


def test_a_yaml_list_in_brackets_splits_calls() -> None:
    error = errors_of("  - a: [conv2d(8, 3), relu]\n")[0]
    assert "YAML splits at commas" in error.help


@pytest.mark.parametrize(
    "key", ["'b(: 0, lambda)'", "'b(x: lambda)'", "'b(x)(y)'", "'b(1)'", "'b(x'", "b(x) + 1"]
)
def test_block_keys_that_are_no_signatures(key: str) -> None:
    errors = refused(f"{HEAD}blocks:\n  {key}:\n    - relu\nlayers:\n  - relu\n")
    assert [error.code for error in errors] == ["A201"]


def test_a_block_names_each_argument() -> None:
    (error,) = refused(f"{HEAD}blocks:\n  'b(*a)':\n    - relu\nlayers:\n  - relu\n")
    assert (error.code, error.help) == ("A213", "write each argument by itself")


def test_settings_and_input_are_reported_with_the_file() -> None:
    text = f"{HEAD}arguments: {{width: 8}}\nlayers:\n  - a: conv2d(width, 3, pading=1)\n"
    errors = refused(text, width="x", wdth=3)
    assert [(e.code, e.span and e.span.place) for e in errors] == [
        ("A401", "--set:1:7"),
        ("A401", "--set:1:1"),
        ("A203", "net.yaml:5:25"),
    ]
    assert errors[1].help == "did you mean 'width'?"


@pytest.mark.parametrize("what", ["directory", "fifo", "missing", "socket", "NUL", "long"])
def test_paths_that_are_no_files(what: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "socket":
        path = Path("/dev/null")
    elif what == "NUL":
        path = tmp_path / "a\0b.yaml"
    elif what == "long":
        path = tmp_path / ("n" * 5000 + ".yaml")
    with pytest.raises(ArchinspectError) as caught:
        load_graph(path)
    assert [error.code for error in caught.value.diagnostics] == ["A102"]


@pytest.mark.parametrize(
    ("data", "column"), [(b"\xef\xbb\xbf", 8), (b"# a\r\n", 8), (b"# \xf0\x9f\x98\x80\r", 8), (b"", 8)]
)
def test_line_ends_and_marks_do_not_move_the_carets(data: bytes, column: int, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    end = b"\r\n" if b"\r\n" in data else b"\r" if b"\r" in data else b"\n"
    path.write_bytes(data + end.join([b"name: net", b"input: 3x8x8", b"layers:", b"  - a: relux", b""]))
    with pytest.raises(ArchinspectError) as caught:
        load_graph(path)
    (error,) = caught.value.diagnostics
    assert texts(error) == "relux"
    assert error.span is not None
    assert (error.span.line, error.span.column) == (4 + (b"#" in data), column)


@pytest.mark.parametrize("mark", ["\u202e", "\u2028", "\x85", "\x1b", "\u2066", "\x00"])
def test_characters_that_hide_or_change_what_is_written_are_refused(mark: str) -> None:
    (error,) = refused(f"{HEAD}layers:\n  - a: relu # {mark}\n")
    assert error.code == "A102"
    assert error.span is not None
    assert error.span.line == 4
    assert mark not in error.render()


def test_what_a_user_wrote_is_shown_escaped_and_short() -> None:
    error = Diagnostic("A101", f"no network is called '{'x' * 10_000}\x1b[31m'", help="\x07")
    assert len(error.render()) < 1000
    assert re.search(r"[\x00-\x09\x0b-\x1f]", error.render()) is None


def test_the_command_line_prints_all_errors_on_stderr_and_leaves_with_2(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{HEAD}layers:\n  - a: relux\n  - b: conv2d(8)\n")
    for command in ("params", "shapes", "summary"):
        done = run_cli(command, "net.yaml", "--format", "json", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error[A202]: unknown op or block 'relux'\n --> net.yaml:4:8\n")
        assert done.stderr.endswith("2 errors\n")
        assert "Traceback" not in done.stderr


def test_a_one_line_network_is_a_model_with_places_too() -> None:
    done = run_cli("params", "conv2d(8, 3) -> relux -> conv2d(8, 3, groups=3", "--input", "3x8x8")
    assert (done.returncode, done.stdout) == (2, "")
    assert " --> MODEL:1:17\n" in done.stderr
    assert " --> MODEL:1:32\n" in done.stderr
    assert "2 errors" in done.stderr


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(ArchinspectError) as caught:
        load_graph(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A107"
    assert diagnostic.span is not None
    assert diagnostic.span.file == str(path)


@pytest.mark.parametrize(("layer", "message"), [("", "found nothing"), ("relu ->", "beside the arrow")])
def test_what_is_missing_is_named_for_what_is_there(layer: str, message: str) -> None:
    (error,) = errors_of(f"  - {layer}\n  - last: relu\n")
    assert (error.code, message in error.message) == ("A201", True)


def test_a_message_is_one_line_whatever_the_text() -> None:
    (error,) = errors_of('  - "a\\nb": relu\n')
    assert error.render().splitlines()[0].startswith("error[A209]: ")
    assert error.render().splitlines()[1].lstrip().startswith("-->")


def test_a_name_that_cannot_be_is_said_once() -> None:
    assert [error.code for error in errors_of("  - b{: relu\n")] == ["A209"]
    long = HEAD.replace("name: ", "name: " + 200 * "n", 1) + "layers:\n  - relu\n"
    assert [error.code for error in refused(long)] == ["A209"]


@pytest.mark.parametrize("size", [3.5, 0, (), None.__class__])
def test_what_is_no_input_size_is_refused(size: object) -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph("relu", input=size)  # type: ignore[arg-type]
    assert [each.code for each in caught.value.diagnostics] == ["A402"]


@pytest.mark.parametrize(
    ("line", "size", "help"),
    [
        ("linear(10)", "3x32x32", "put flatten before it"),
        ("multihead_attention(2)", "4x8x8", "put tokens before it"),
        ("conv2d(4, 3)", "784", "write the size as CxHxW"),
        ("conv2d(4, 3) -> tokens -> conv2d(4, 3)", "3x8x8", "is it placed after tokens?"),
    ],
)
def test_the_way_out_of_a_wrong_number_of_dimensions(line: str, size: str, help: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph(line, input=size)
    (error,) = caught.value.diagnostics
    assert (error.code, help in error.help) == ("A301", True)


@pytest.mark.parametrize(
    ("line", "size", "right"),
    [
        ("conv2d(8, 3)", "224x224x3", "3x224x224"),
        ("conv1d(8, 3)", "16000x1", "1x16000"),
        ("conv3d(8, 3)", "16x112x112x3", "3x16x112x112"),
    ],
)
def test_channels_stand_first(line: str, size: str, right: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph(line, input=size)
    assert f"write {right}" in caught.value.diagnostics[0].help
    assert load_graph(line.replace("3)", "1)"), input=f"Nx{size}").input_shape[-1] == int(size[-1])


def test_an_input_that_no_layer_reads_is_refused() -> None:
    (error,) = refused("name: n\ninputs: {a: 3x8x8, b: 3x8x8}\nlayers:\n  - c: conv2d(8, 3)\n")
    assert (error.code, error.message) == ("A212", "no layer reads the input 'b'")


def test_a_word_that_is_no_model_may_be_nearly_a_layer() -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph("layernorm", input="3")
    assert "the layer 'layer_norm'" in caught.value.diagnostics[0].help


def test_a_linear_layer_reads_the_channels_where_they_stand_last() -> None:
    graph = load_graph("permute((0, 2, 3, 1)) -> linear(10)", input="3x8x8")
    assert (graph.output_shape, sum(graph.learnt)) == ((1, 8, 8, 10), 40)
