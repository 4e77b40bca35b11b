"""Damaged and hostile headers are errors of ours, soon: no traceback, no wait, no memory, nothing run."""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archinspect.errors import ArchinspectError
from archinspect.frontends.checkpoint import load_checkpoint

HUGE = 2**63 - 1


def refused(path: Path, text: str = "") -> str:
    """The error that reading the file gives, which has the file's name, a place or a figure, and `text`."""
    begin = time.process_time()
    with pytest.raises(ArchinspectError) as caught:
        load_checkpoint(path)
    assert time.process_time() - begin < 5
    shown = caught.value.render()
    assert text in shown
    assert str(path) in shown
    return shown


# safetensors --------------------------------------------------------------------------------------------------------


def safetensors(header: Any, data: int = 16) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def entry(dtype: Any = "F32", shape: Any = (4,), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "short": (b"\x01", "too few for the length"),
    "length beyond the file": (struct.pack("<Q", HUGE) + b"{}", "its first eight bytes, is impossible"),
    "length at the limit": (struct.pack("<Q", 100_000_001) + b"{}", "impossible"),
    "no JSON": (safetensors(b"{nonsense"), "is not JSON"),
    "no UTF-8": (safetensors(b'{"\xff": 1}'), "not UTF-8"),
    "deep JSON": (safetensors(b"[" * 100_000), "nests too deep"),
    "long number": (safetensors(b'{"a": ' + b"9" * 10_000 + b"}"), "a number that is too long"),
    "no object": (safetensors([1, 2]), "no JSON object"),
    "key twice": (safetensors(b'{"a": {}, "a": {}}'), "stands twice"),
    "metadata of numbers": (safetensors({"__metadata__": {"a": 1}}, 0), "no mapping of texts"),
    "entry of nothing": (safetensors({"a": {}}), "has no data_offsets and no dtype and no shape"),
    "entry of text": (safetensors({"a": "b"}), "is no tensor"),
    "negative dimension": (safetensors({"a": entry(shape=[-4])}), "no size: -4"),
    "fraction": (safetensors({"a": entry(shape=[4.0])}), "no size: 4.0"),
    "flag": (safetensors({"a": entry(shape=[True, 4])}), "no size: True"),
    "many dimensions": (safetensors({"a": entry(shape=[1] * 100_000)}), "100,000 dimensions"),
    "many elements": (safetensors({"a": entry(shape=[HUGE] * 60)}), "more elements than can be addressed"),
    "offsets beyond": (safetensors({"a": entry(offsets=[0, HUGE])}), "ends before its data does"),
    "offsets the wrong way": (safetensors({"a": entry(offsets=[16, 0])}), "impossible offsets"),
    "one offset": (safetensors({"a": entry(offsets=[0])}), "no two offsets"),
    "offsets of text": (safetensors({"a": entry(offsets=["0", "16"])}), "no two offsets"),
    "shape of another size": (safetensors({"a": entry(shape=[5])}), "take 20 bytes, the offsets hold 16"),
    "overlap": (
        safetensors({"a": entry(shape=[3], offsets=[0, 12]), "b": entry(shape=[2], offsets=[8, 16])}),
        "'a' and 'b' overlap",
    ),
    "gap": (safetensors({"a": entry(shape=[2], offsets=[8, 16])}), "8 bytes before tensor 'a'"),
    "bytes at the end": (safetensors({"a": entry()}, 20), "4 bytes at the end"),
    "cut short": (safetensors({"a": entry()}, 10), "ends before its data does"),
    "long name": (safetensors({"a" * 5_000: entry()}), "name is too long"),
    "deep name": (safetensors({"." * 1_000: entry()}), "name is too long"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(tmp_path: Path, case: str) -> None:
    content, text = SAFETENSORS[case]
    (tmp_path / "w.safetensors").write_bytes(content)
    refused(tmp_path / "w.safetensors", text)


def test_what_does_not_print_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors({"a\x1b[2J.w\u202e": entry()}))
    (node,) = load_checkpoint(tmp_path / "w.safetensors").nodes
    assert node.name == "a\\x1b[2J"
    assert next(iter(node.parameters or {})) == "w\\u202e"


INDEXES: dict[str, tuple[Any, str]] = {
    "no map": ({"metadata": {}}, "no 'weight_map'"),
    "map of nothing": ({"weight_map": {}}, "no 'weight_map'"),
    "list": ([1], "no JSON object"),
    "path upwards": ({"weight_map": {"a": "../../etc/passwd"}}, "no file beside it"),
    "absolute path": ({"weight_map": {"a": "/etc/passwd"}}, "no file beside it"),
    "path of Windows": ({"weight_map": {"a": "..\\x"}}, "no file beside it"),
    "dots": ({"weight_map": {"a": ".."}}, "no file beside it"),
    "number": ({"weight_map": {"a": 1}}, "no file beside it"),
    "itself": ({"weight_map": {"a": "w.safetensors.index.json"}}, "names an index as a shard"),
    "missing": ({"weight_map": {"a": "x.safetensors", "b": "y.safetensors"}}, "2 of 2 shards are missing"),
    "absent tensor": ({"weight_map": {"a": "s.safetensors", "b": "s.safetensors"}}, "has no tensor 'b'"),
    "tensor in two": (
        {"weight_map": {"a": "s.safetensors", "c": "t.safetensors"}},
        "is in 's.safetensors' and in",
    ),
}


@pytest.mark.parametrize("case", INDEXES)
def test_indexes(tmp_path: Path, case: str) -> None:
    index, text = INDEXES[case]
    (tmp_path / "s.safetensors").write_bytes(safetensors({"a": entry()}))
    both = {"a": entry(shape=[2], offsets=[0, 8]), "c": entry(shape=[2], offsets=[8, 16])}
    (tmp_path / "t.safetensors").write_bytes(safetensors(both))
    path = tmp_path / "w.safetensors.index.json"
    path.write_text(json.dumps(index))
    refused(path, text)


# GGUF ---------------------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(tensors: int = 0, pairs: int = 0, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + rest


def tensor(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


GGUF: dict[str, tuple[bytes, str]] = {
    "short": (b"GGUF", "ends inside its header"),
    "version 1": (gguf(version=1), "GGUF of version 1"),
    "version of the future": (gguf(version=99), "GGUF of version 99"),
    "many tensors": (gguf(tensors=2**64 - 1), "cannot hold so many tensors"),
    "many pairs": (gguf(pairs=2**60), "cannot hold so many key-value pairs"),
    "long key": (gguf(pairs=1, rest=struct.pack("<Q", 2**62) + bytes(20)), "ends inside its header"),
    "unknown value": (gguf(pairs=1, rest=text("k") + struct.pack("<I", 77) + bytes(20)), "type 77"),
    "long array": (gguf(pairs=1, rest=text("k") + struct.pack("<IIQ", 9, 4, 2**61)), "ends inside its header"),
    "many texts": (gguf(pairs=1, rest=text("k") + struct.pack("<IIQ", 9, 8, 2**61)), "cannot hold so many texts"),
    "text beyond": (
        gguf(pairs=1, rest=text("k") + struct.pack("<IIQ", 9, 8, 20) + struct.pack("<Q", 2**63) + bytes(200)),
        "ends inside its header",
    ),
    "deep arrays": (gguf(pairs=1, rest=text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5_000), "deep"),
    "key twice": (gguf(pairs=2, rest=2 * (text("k") + struct.pack("<IB", 0, 1)) + bytes(20)), "stands twice"),
    "five dimensions": (gguf(tensors=1, rest=tensor("a", (1,) * 5)), "has 5 dimensions"),
    "rank of billions": (gguf(tensors=1, rest=text("a") + struct.pack("<I", 2**32 - 1) + bytes(40)), "dimensions"),
    "huge dimension": (gguf(tensors=1, rest=tensor("a", (2**64 - 1,))), "no size"),
    "many elements": (gguf(tensors=1, rest=tensor("a", (2**62, 2**62))), "more elements"),
    "unknown type": (gguf(tensors=1, rest=tensor("a", (1,), kind=1234)), "type 1,234"),
    "half a block": (gguf(tensors=1, rest=tensor("a", (33,), kind=2)), "does not consist of whole blocks"),
    "data beyond": (gguf(tensors=1, rest=tensor("a", (1024,))), "ends before its data does"),
    "offset beyond": (gguf(tensors=1, rest=tensor("a", (1,), offset=2**62)), "ends before its data does"),
    "overlap": (gguf(tensors=2, rest=tensor("a", (8,)) + tensor("b", (8,), offset=16) + bytes(200)), "overlap"),
    "name twice": (gguf(tensors=2, rest=tensor("a", (8,)) + tensor("a", (8,), offset=32) + bytes(200)), "same name"),
    "alignment 0": (
        gguf(tensors=0, pairs=1, rest=text("general.alignment") + struct.pack("<II", 4, 0)),
        "no power of two",
    ),
    "parts without a name": (
        gguf(pairs=1, rest=text("split.count") + struct.pack("<IH", 2, 3)),
        "one of 3 parts",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GGUF)
def test_gguf(tmp_path: Path, case: str) -> None:
    content, said = GGUF[case]
    (tmp_path / "w.gguf").write_bytes(content)
    refused(tmp_path / "w.gguf", said)


def test_missing_parts_of_a_split_gguf(tmp_path: Path) -> None:
    part = gguf(
        tensors=1,
        pairs=1,
        rest=text("split.count") + struct.pack("<IH", 2, 3) + tensor("a", (1,)) + bytes(80),
    )
    (tmp_path / "m-00002-of-00003.gguf").write_bytes(part)
    refused(tmp_path / "m-00002-of-00003.gguf", "m-00001-of-00003.gguf, m-00003-of-00003.gguf")


def test_a_big_endian_gguf(tmp_path: Path) -> None:
    name = struct.pack(">Q", 3) + b"a.w"
    content = b"GGUF" + struct.pack(">IQQ", 3, 1, 0) + name + struct.pack(">IQIQ", 1, 8, 0, 0) + bytes(100)
    (tmp_path / "w.gguf").write_bytes(content)
    (parameter,) = load_checkpoint(tmp_path / "w.gguf").parameters
    assert (parameter.name, parameter.shape) == ("a.w", (8,))


# Pickles ------------------------------------------------------------------------------------------------------------


def archive(
    pickled: bytes, compression: int = zipfile.ZIP_STORED, storages: Mapping[str, bytes] | None = None
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as file:
        file.writestr("a/data.pkl", pickled)
        for name, content in (storages or {}).items():
            file.writestr(f"a/data/{name}", content)
    return made.getvalue()


def storage(key: bytes = b"0", numel: int = 4) -> bytes:
    """The reference to a storage of fp32 as a pickle has it."""
    name = b"X" + struct.pack("<I", len(key)) + key
    return (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        + name
        + b"X\x03\x00\x00\x00cpu"
        + number(numel)
        + b"tQ"
    )


def number(value: int) -> bytes:
    data = value.to_bytes(17, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def rebuilt(shape: bytes, strides: bytes, offset: int = 0, **reference: Any) -> bytes:
    call = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return (
        call
        + b"("
        + storage(**reference)
        + number(offset)
        + shape
        + strides
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def sizes(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


VECTOR = rebuilt(sizes(4), sizes(1))
PICKLES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no end"),
    "no value": (b".", "more or fewer than one value"),
    "two values": (b"NN.", "more or fewer than one value"),
    "unknown operation": (b"\xff.", "operation 0xff does not exist"),
    "empty stack": (b"0.", "the stack is empty"),
    "no mark": (b"Nt.", "there is no mark"),
    "empty memo": (b"h\x05.", "memo 5 is empty"),
    "text beyond": (b"X" + struct.pack("<I", 2**32 - 1) + b".", "bytes are asked for"),
    "bytes beyond": (b"\x8e" + struct.pack("<Q", 2**63) + b".", "bytes are asked for"),
    "number beyond": (b"\x8b" + struct.pack("<I", 2**31 - 1) + b".", "bytes are asked for"),
    "line without end": (b"ctorch", "a line has no end"),
    "number of letters": (b"Iabc\n.", "a number is none"),
    "number of many digits": (b"L" + b"9" * 10_000 + b"L\n.", "a number is none"),
    "item of nothing": (b"NNa.", "items are added to what holds none"),
    "key of nothing": (b"NNNs.", "keys are set in what has none"),
    "name of numbers": (b"K\x01K\x02\x93.", "a name is no text"),
    "no storage": (b"NQ" + b".", "refers to what is no storage"),
    "negative size": (rebuilt(sizes(-4), sizes(1)) + b".", "no size: -4"),
    "huge size": (rebuilt(sizes(2**62, 2**62), sizes(1, 1)) + b".", "more elements than can be addressed"),
    "beyond its storage": (rebuilt(sizes(5), sizes(1)) + b".", "5 > 4 elements"),
    "far stride": (rebuilt(sizes(2), sizes(2**62)) + b".", "reaches beyond it"),
    "negative stride": (rebuilt(sizes(2), sizes(-1)) + b".", "an impossible place"),
    "far offset": (rebuilt(sizes(1), sizes(1), offset=2**62) + b".", "reaches beyond it"),
    "strides of another rank": (rebuilt(sizes(2, 2), sizes(1)) + b".", "impossible strides"),
    "no shape": (rebuilt(b"N", sizes(1)) + b".", "has no shape"),
    "missing storage": (rebuilt(sizes(4), sizes(1), key=b"7") + b".", "'7' is not in the archive"),
    "huge storage": (rebuilt(sizes(1), sizes(1), numel=2**62) + b".", "wrong size"),
    "negative storage": (rebuilt(sizes(0), sizes(1), numel=-1) + b".", "without name or size"),
}  # fmt: skip


@pytest.mark.parametrize("case", PICKLES)
def test_pickles(tmp_path: Path, case: str) -> None:
    content, said = PICKLES[case]
    (tmp_path / "w.pth").write_bytes(archive(content, storages={"0": bytes(16)}))
    refused(tmp_path / "w.pth", said)


def test_every_operation_is_read_as_pickle_reads_it() -> None:
    from archinspect.frontends.checkpoint.pickles import Unpickler

    shared = ["x"]
    value = {
        "numbers": [0, 255, 65_535, -1, 2**31, -(2**40), 10**30, 1.5, True, False, None],
        "texts": ["", "é", "a" * 300, "line\n"],
        "bytes": [b"", b"\x00\xff", b"b" * 300],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "shared": [shared, shared],
        3: {"nested": {}},
    }
    for protocol in range(2, 6):
        data = pickle.dumps(value, protocol)
        found = Unpickler(data, len(data)).load()
        if protocol == 2:
            del found["bytes"]  # calls of codecs.encode, which are not made
        assert found == {key: inner for key, inner in value.items() if protocol > 2 or key != "bytes"}
        assert found["shared"][0] is found["shared"][1]


def repeat(count: int, each: Callable[[int], bytes]) -> bytes:
    return b"".join(each(i) for i in range(count))


BOMBS: dict[str, bytes] = {
    # Lists of the list before, ten times each: 10^2000 elements if they were told apart.
    "laughs": b"]q\x00" + repeat(2_000, lambda _: b"(" + b"h\x00" * 10 + b"lq\x00") + b".",
    "deep lists": repeat(300_000, lambda _: b"]") + b"a" * 299_999 + b".",
    "deep tuples": b")" + b"\x85" * 300_000 + b".",
    "deep objects": b"N" + repeat(100_000, lambda _: b"cos\nsystem\nN\x81") + b".",
    "one tensor, again and again": b"(" + VECTOR + b"q\x00" + b"h\x00" * 300_000 + b"l.",
    "wide memo": b"Nr" + struct.pack("<I", 2**32 - 1) + b"p" + b"9" * 18 + b"\n.",
    "pairs of one list": b"(" + repeat(2_000, lambda _: b"(K\x01Nt") + b"lq\x010"
    + b"(" + repeat(20_000, lambda _: b"ccollections\nOrderedDict\n(h\x01tR") + b"l.",
    "one state of many objects": b"}(" + repeat(2_000, lambda i: b"J" + struct.pack("<i", i) + b"N") + b"uq\x010"
    + b"(" + repeat(20_000, lambda _: b"cos\nsystem\n)Rh\x01b") + b"l.",
    "long names": b"X" + struct.pack("<I", 900) + b"m" * 900 + b"q\x000X\x01\x00\x00\x00aq\x010("
    + b"h\x00h\x01\x93" * 20_000 + b"l.",
    "a long number as a key": b"\x8b" + struct.pack("<I", 1_000_000) + b"\x01" * 1_000_000 + b"q\x000}"
    + b"h\x00Ns" * 100_000 + b".",
    "long keys that are equal": 2 * (b"X" + struct.pack("<I", 1_000_000) + b"k" * 1_000_000 + b"q\x00")[:-1]
    + b"\x01000}" + b"h\x00Nsh\x01Ns" * 100_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_go_off_in_time_and_memory_of_their_own_size(tmp_path: Path, case: str) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(archive(BOMBS[case], storages={"0": bytes(16)}))
    refused(path)
    if len(BOMBS[case]) < 200_000:  # tracing memory takes time
        tracemalloc.start()
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
        tracemalloc.stop()


def test_one_tensor_of_tensors_of_tensors(tmp_path: Path) -> None:
    inner = b"N"
    for _ in range(50):
        kind = b"ctorch._utils\n_rebuild_wrapper_subclass\ncx\nSub\n"
        args = b"(cx\nSub\nctorch\nfloat32\n" + sizes(2) + b"t"
        inner = b"ctorch._tensor\n_rebuild_from_type_v2\n(" + kind + args + inner + b"tR"
    (tmp_path / "w.pth").write_bytes(archive(inner + b".", storages={"0": bytes(16)}))
    refused(tmp_path / "w.pth", "without end")


# Archives -----------------------------------------------------------------------------------------------------------


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(archive(b"N" * (80 << 20), zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 200_000
    refused(path, "too large")
    content = bytearray(archive(b"N" * (8 << 20), zipfile.ZIP_DEFLATED))
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 1_000)  # a directory that says less than there is
    path.write_bytes(content)
    refused(path, "is damaged")


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        (10, b"\x63\x00", "packed in a way"),  # method 99
        (8, b"\x01\x00", "is encrypted"),
        (42, b"\xff\xff\xff\x7f", "lies outside the file"),
        (20, b"\xff\xff\xff\x7f", "lies outside the file"),
        (28, b"\xff\xff", ""),  # a name of 65,535 characters
        (0, b"XX", "its directory is damaged"),
    ],
)
def test_damaged_directories(tmp_path: Path, offset: int, value: bytes, said: str) -> None:
    content = bytearray(archive(VECTOR + b"."))
    at = content.rfind(b"PK\x01\x02")
    content[at + offset : at + offset + len(value)] = value
    (tmp_path / "w.pth").write_bytes(content)
    refused(tmp_path / "w.pth", said)


def test_other_archives(tmp_path: Path) -> None:
    for names, said in (
        (["word/document.xml"], "without data.pkl"),
        (["net/models/model.json"], "its name must end in .pt2"),
    ):
        with zipfile.ZipFile(tmp_path / "w.pt", "w") as file:
            for name in names:
                file.writestr(name, "{}")
        refused(tmp_path / "w.pt", said)
    whole = archive(VECTOR + b".", storages={"0": bytes(16)})
    (tmp_path / "w.pt").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "w.pt", "without its directory")


# Mutations ----------------------------------------------------------------------------------------------------------

LEGACY = (
    b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    + b"\x80\x02}(X\x05\x00\x00\x00a.b.w" + rebuilt(sizes(2, 2), sizes(2, 1)) + b"X\x01\x00\x00\x00v" + VECTOR + b"u."
    + pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(16)
)  # fmt: skip
VALID = {
    ".safetensors": safetensors(
        {"__metadata__": {"format": "pt"}, "a.w": entry("F16", [2, 4]), "b": entry("U8", [0], [16, 16])}
    ),
    ".gguf": gguf(
        tensors=2,
        pairs=3,
        rest=text("general.name") + struct.pack("<I", 8) + text("n")
        + text("list") + struct.pack("<IIQ3I", 9, 4, 3, 1, 2, 3)
        + text("words") + struct.pack("<IIQ", 9, 8, 20) + 20 * text("word")
        + tensor("a.w", (32, 2), kind=2) + tensor("b.w", (4,), offset=64) + bytes(200),
    ),
    ".pth": archive(b"\x80\x02}(X\x03\x00\x00\x00a.w" + VECTOR + b"u.", storages={"0": bytes(16)}),
    ".pt": LEGACY,
}  # fmt: skip


@pytest.mark.parametrize("ending", VALID)
def test_the_content_tells_the_format_whatever_the_name(tmp_path: Path, ending: str) -> None:
    for name in (f"w{ending}", "w.bin", "w.pt"):
        (tmp_path / name).write_bytes(VALID[ending])
        assert load_checkpoint(tmp_path / name).nodes


def test_a_header_whose_length_looks_like_a_pickle(tmp_path: Path) -> None:
    content = safetensors(json.dumps({"a": entry()}).ljust(0x80).encode())
    assert content.startswith(b"\x80")
    (tmp_path / "w.bin").write_bytes(content)
    assert load_checkpoint(tmp_path / "w.bin").source.format == "safetensors"  # type: ignore[union-attr]


@st.composite
def mutations(draw: st.DrawFn, content: bytes) -> bytes:
    """The file with a few bytes changed, taken out, put in, or said twice; or cut short."""
    made = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(made) - 1)))
        length = draw(st.integers(1, 9))
        match draw(st.sampled_from(["change", "extreme", "remove", "insert", "repeat", "cut"])):
            case "change":
                made[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "extreme":
                made[at : at + 8] = draw(st.sampled_from([b"\xff" * 8, bytes(8), b"\xff" * 7 + b"\x7f"]))
            case "remove":
                del made[at : at + length]
            case "insert":
                made[at:at] = draw(st.binary(min_size=length, max_size=length))
            case "repeat":
                made[at:at] = made[at : at + 5 * length]
            case "cut":
                del made[at:]
    return bytes(made)


@pytest.mark.parametrize("ending", VALID)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutations_are_read_or_refused(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    path = tmp_path / f"w{ending}"
    path.write_bytes(data.draw(mutations(VALID[ending])))
    begin = time.process_time()
    try:
        graph = load_checkpoint(path)
    except ArchinspectError as error:
        shown = error.render()
        if not shown.replace("\n", "").isprintable():
            pytest.fail(f"the error shows what does not print: {shown!r}")
    else:
        assert all(parameter.numel >= 0 and parameter.bytes >= 0 for parameter in graph.parameters)
        assert all(name.isprintable() for parameter in graph.parameters for name in parameter.names)
    assert time.process_time() - begin < 5
