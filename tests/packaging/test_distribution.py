"""The wheel and the sdist: what is in them, and what their metadata promises."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import archinspect
from tests.support import ROOT, SPECS


def build(target: str, source: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    [made] = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(place, filter="data")
    [top] = place.iterdir()
    return top


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_carries_every_spec_unchanged(wheel: zipfile.ZipFile) -> None:
    shipped = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("archinspect/specs/")}
    here = {
        f"archinspect/specs/{p.relative_to(SPECS).as_posix()}": p.read_bytes() for p in SPECS.rglob("*.yaml")
    }
    assert shipped == here
    assert "archinspect/specs/vgg16.yaml" in shipped


def test_the_wheel_carries_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "archinspect").rglob("*.py")}
    assert modules <= set(names)
    assert "archinspect/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"archinspect"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_sdist_can_be_tested_and_built(source: Path, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    for name in (
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "constraints.txt",
        "specs/vgg16.yaml",
        "tests/conftest.py",
    ):
        assert (source / name).is_file(), name
    again = zipfile.ZipFile(build("wheel", source, tmp_path / "again"))
    assert sorted(again.namelist()) == sorted(wheel.namelist())


def test_the_version_is_the_packages(metadata: Message) -> None:
    assert metadata["Version"] == archinspect.__version__


def test_a_plain_install_is_light(metadata: Message) -> None:
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(line.split("<")[0].split(">")[0].lower() for line in plain) == [
        "pyyaml",
        "tabulate",
        "typer",
    ]
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"all", "dev", "diagram", "docs", "latency", "torch", "verify"} <= set(
        metadata.get_all("Provides-Extra", [])
    )


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "archinspect = archinspect.__main__:main" in wheel.read(name).decode()
    assert "[pytest11]\narchinspect = archinspect.pytest_plugin" in wheel.read(name).decode()
