"""What users' CI takes from us: the pytest fixture, the GitHub Action's script, the pre-commit hook, the releases."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from archinspect.cli.registry import COMMANDS
from tests.support import ROOT, clean_environment, run_python

SPEC = "name: tiny\ninput: 3x32x32\nlayers:\n  - conv1: conv2d(16, 3, padding=1)\n  - relu1: relu()\n"
WIDER = SPEC.replace("16", "24")
TESTS = """
def test_small(archinspect_budget):
    assert archinspect_budget("{folder}/net.yaml", max_params="1k").ok

def test_locked(archinspect_budget):
    archinspect_budget("{folder}/net.yaml", lock="net.lock.json")

def test_too_large(archinspect_budget):
    archinspect_budget("{folder}/net.yaml", max_params=100)
"""


def run_pytest(folder: Path, *args: str) -> str:
    words = ["-m", "pytest", "-p", "archinspect.pytest_plugin", "-q", "-rA", *args]
    done = run_python(*words, cwd=folder, env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_fixture_names_the_layer_to_blame_and_writes_locks(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "test_net.py").write_text(TESTS.format(folder=tmp_path.as_posix()), encoding="utf-8")
    first = run_pytest(tmp_path, "--archinspect-update")
    assert "1 failed, 2 passed" in first
    assert "conv1" in first
    assert "Traceback" not in first
    assert (tmp_path / "net.lock.json").exists()
    assert "1 failed, 2 passed" in run_pytest(tmp_path)
    (tmp_path / "net.yaml").write_text(WIDER, encoding="utf-8")
    changed = run_pytest(tmp_path)
    assert "2 failed, 1 passed" in changed
    assert "conv2d(16, 3, padding=1) → conv2d(24, 3, padding=1)" in changed
    assert "--archinspect-update" in changed


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a network at its first commit, a wider one beside, and a `gh` that keeps what it is told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    keep = 'for word; do case $word in body=@*) cat "${word#body=@}" > "$GH_BODY";; esac; done'
    gh = f'#!/bin/sh\necho "$@" >> "$GH_LOG"\n{keep}\n'
    for name, text in (
        ("archinspect", f'#!/bin/sh\nexec "{sys.executable}" -m archinspect "$@"\n'),
        ("gh", gh + 'case "$*" in *--paginate*) cat "$GH_FOUND";; esac\n'),
    ):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "net.yaml").write_text(SPEC, encoding="utf-8")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a network"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    return folder


def report(folder: Path, **settings: str) -> tuple[int, str, str]:
    """Run the action's script: its status, the comment, and the calls of gh."""
    place = folder.parent
    files = {name: place / name.lower() for name in ("GH_LOG", "GH_BODY", "GH_FOUND")}
    files["GH_FOUND"].write_text(settings.pop("found", ""), encoding="utf-8")
    environment = clean_environment(
        {
            "BASE": "HEAD",
            "PULL": "7",
            "REPOSITORY": "me/mine",
            "GITHUB_STEP_SUMMARY": os.fspath(place / "summary"),
            "GITHUB_OUTPUT": os.fspath(place / "output"),
            **{name: os.fspath(path) for name, path in files.items()},
            **settings,
        }
    )
    environment["PATH"] = f"{place / 'bin'}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", ROOT / "action" / "report.sh"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = {name: path.read_text(encoding="utf-8") if path.exists() else "" for name, path in files.items()}
    assert "Traceback" not in done.stderr
    return done.returncode, said["GH_BODY"], said["GH_LOG"]


needs_shell = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("git")), reason="needs bash and git"
)


@pytest.mark.slow
@needs_shell
def test_the_action_comments_what_an_edit_did(repository: Path) -> None:
    (repository / "net.yaml").write_text(WIDER, encoding="utf-8")
    status, body, calls = report(repository, MODELS="net.yaml --input '3x32x32'\n\n")
    assert status == 0
    assert body.startswith("<!-- archinspect -->")
    assert "| conv1" in body
    assert "the base" in body
    assert "+224" in body
    assert "--method POST repos/me/mine/issues/7/comments" in calls
    assert "changed=true" in (repository.parent / "output").read_text(encoding="utf-8")
    assert "net.yaml" in (repository.parent / "summary").read_text(encoding="utf-8")


@pytest.mark.slow
@needs_shell
def test_the_action_fails_on_limits_and_updates_its_comment(repository: Path) -> None:
    status, body, calls = report(repository, MODELS="net.yaml", LIMITS="--max-params 100", found="42\n")
    assert status == 1
    assert "as they were" in body
    assert "--method PATCH repos/me/mine/issues/comments/42" in calls
    status, _, _ = report(repository, MODELS="nothing.yaml")
    assert status == 2


@pytest.mark.slow
@needs_shell
def test_the_action_shows_a_new_network_and_is_silent_about_none(repository: Path) -> None:
    (repository / "new.yaml").write_text(SPEC, encoding="utf-8")
    status, body, _ = report(repository, MODELS="new.yaml")
    assert (status, "It is new" in body, "448" in body) == (0, True, True)
    (repository.parent / "gh_body").unlink()
    status, body, _ = report(repository, MODELS="net.yaml")
    assert (status, body) == (0, "")


def test_files_for_users_ci_name_what_there_is() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    asked = {name for step in action["runs"]["steps"] for name in step.get("env", {})}
    assert {"MODELS", "LIMITS", "BASE", "COMMENT", "PULL", "REPOSITORY"} <= asked
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].split()[1] in COMMANDS
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert release["jobs"]["publish"]["needs"] == "build"
