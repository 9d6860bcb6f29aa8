# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the binary is looked for, and what no repr shows."""

from __future__ import annotations

import json
import os

import pytest
from ansible.errors import AnsibleError
from ansible_collections.dotage.secrets.plugins.plugin_utils import _dotage


@pytest.fixture(name="program")
def fixture_program(tmp_path):
    path = tmp_path / "dotage"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_path_is_taken_as_it_is(program, monkeypatch):
    assert _dotage.find(str(program)) == str(program)
    assert _dotage.find("./dotage", str(program.parent)) == str(program)
    monkeypatch.setenv("HOME", str(program.parent))
    assert _dotage.find("~/dotage") == str(program)


def test_a_name_is_looked_for_in_path(program, monkeypatch):
    monkeypatch.setenv("PATH", str(program.parent))
    assert _dotage.find("dotage") == str(program)
    with pytest.raises(AnsibleError, match="no other in PATH"):
        _dotage.find("other")


def test_the_wheel_comes_before_path(program, tmp_path, monkeypatch):
    beside = tmp_path / "venv"
    beside.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(_dotage.sys, "executable", str(beside / "python"))
    assert _dotage.find() == str(program)
    wheel = beside / "dotage"
    wheel.write_text("#!/bin/sh\n")
    wheel.chmod(0o755)
    assert _dotage.find() == str(wheel)
    os.unlink(str(wheel))
    os.unlink(str(program))
    with pytest.raises(AnsibleError, match="pip install dotage"):
        _dotage.find()


def test_hidden_text_is_sent_and_not_shown():
    hidden = _dotage.Hidden("hunter2")
    assert "hunter2" not in repr({"a": [hidden]})
    assert json.dumps(hidden) == '"hunter2"'


def test_an_identity_that_is_said_is_the_only_one(program, monkeypatch):
    for name in ("DOTAGE_IDENTITY", "DOTAGE_IDENTITY_FILE", "DOTAGE_IDENTITY_COMMAND"):
        monkeypatch.setenv(name, "of the environment")
    options = {"binary": str(program), "identity_file": "key.txt"}
    environment = _dotage.Dotage(options, "/play").environment()
    assert environment["DOTAGE_IDENTITY_FILE"] == "/play/key.txt"
    assert "DOTAGE_IDENTITY" not in environment and "DOTAGE_IDENTITY_COMMAND" not in environment
    assert environment["DOTAGE_NON_INTERACTIVE"] == "1"


@pytest.mark.parametrize("version, good", [("0.1.0", True), ("0.2", True), ("1.0.0-rc.1", True), ("0.0.9", False)])
def test_an_old_binary_is_refused(program, version, good):
    dotage = _dotage.Dotage({"binary": str(program)})
    if good:
        dotage._judge(version)
    else:
        with pytest.raises(AnsibleError, match="is dotage 0.0.9; this collection needs 0.1.0 or newer"):
            dotage._judge(version)
