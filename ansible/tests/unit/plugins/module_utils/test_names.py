# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names two versions of a file assign differently."""

from __future__ import annotations

import pytest
from ansible_collections.dotage.secrets.plugins.module_utils import _names

CASES = [
    # dialect, old, new, names of the new, added, removed, altered
    ("compose", None, "A=1\n", ["A"], ["A"], [], []),
    ("compose", "A=1\nB=2\n", "A=1\nB=3\n", ["A", "B"], [], [], ["B"]),
    ("compose", "A=1\nB=2\n", "B=2\nC=3\n", ["B", "C"], ["C"], ["A"], []),
    ("compose", "# a comment\nA=1\n", "A=1\n\n# another\n", ["A"], [], [], []),
    ("compose", 'A="x\nB=y\nz"\n', 'A="x\nB=z\nz"\n', ["A"], [], [], ["A"]),
    ("compose", 'A="x \\" y"\nB=1\n', 'A="x \\" y"\nB=2\n', ["A", "B"], [], [], ["B"]),
    ("shell", "A='it'\\''s'\nB=1\n", "A='it'\\''s'\n", ["A"], [], ["B"], []),
    ("shell", "export A=1\n", "A=1\n", ["A"], [], [], []),
    ("node", "A=`it's`\n", "A=`it's \"`\n", ["A"], [], [], ["A"]),
    ("docker", "A=it's\nB=\"\n", "A=it's\nB=x\n", ["A", "B"], [], [], ["B"]),
    ("github", "A<<E\nx\nB=1\nE\nC=1\n", "A<<E\ny\nB=1\nE\nC=1\n", ["A", "C"], [], [], ["A"]),
    ("json", '{"a": {"b": "1"}, "c": ["x"]}', '{"a": {"b": "2"}, "c": ["x"]}', ["a.b", "c.0"], [], [], ["a.b"]),
    (
        "yaml",
        "data:\n  A: x\nenv:\n  - name: B\n    value: y\n  - name: C\n    value: z\n",
        "data:\n  A: y\nenv:\n  - name: B\n    value: y\n  - name: C\n    value: q\n",
        ["data.A", "env.0.name", "env.0.value", "env.1.name", "env.1.value"],
        [],
        [],
        ["data.A", "env.1.value"],
    ),
    # What is not clear counts as altered, and no part of a value is taken for a name.
    ("compose", 'A="open\nsecret=\n', "A=1\n", ["A"], [], [], ["A"]),
    ("compose", "A=1\nsecret\nmore=\n", "A=1\n", ["A"], [], [], ["A"]),
    ("compose", "A=1'\nmore=2'\n", "A=1\n", ["A"], [], [], ["A"]),
    ("github", "A<<E\nsecret=\n", "A=1\n", ["A"], [], [], ["A"]),
    ("yaml", "data:\n  A: |\n    secret: x\n", "data:\n  A: x\n", ["data.A"], [], [], ["data.A"]),
    ("json", '{"secret', '{"a": "1"}', ["a"], [], [], ["a"]),
    ("compose", b"\xff\xfe", "A=1\n", ["A"], [], [], ["A"]),
    ("docker", "A=1\nQ29uc3RhbnRzZWNyZXQx=\n", "A=1\nB=2\n", ["A", "B"], [], [], ["A", "B"]),
    ("docker", "A=1\nQ2=\n", "A=1\n", ["A"], [], ["Q2"], []),
    ("docker", "A=1\nQ2x==\n", "A=1\n", ["A"], [], [], ["A"]),
    ("docker", "ConnectionStrings__Default=1\n", "ConnectionStrings__Default=2\n", ["ConnectionStrings__Default"], [], [], ["ConnectionStrings__Default"]),
    # A file that says other names than the binary found in it.
    ("compose", "A=1\n", "A=2\n", ["A", "B"], [], [], ["A", "B"]),
]


def as_bytes(text):
    return text if text is None or isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("dialect, old, new, names, added, removed, altered", CASES)
def test_each_change_is_told_alone(dialect, old, new, names, added, removed, altered):
    change = _names.compare(as_bytes(old), as_bytes(new), names, dialect)
    assert (change.added, change.removed, change.altered) == (added, removed, altered)


def test_a_file_that_goes_away_tells_only_names():
    assert _names.compare(b"A=1\nB=2\n", None, [], "compose").removed == ["A", "B"]
    assert _names.compare(b"A=1\nsecret\n", None, [], "compose").all() == []
    assert _names.compare(b"x", b"x", ["A"], "compose").all() == []


def test_the_services_of_a_name():
    users = {"A": ["api"], "B": ["api", "worker"], "C": []}
    concerned = _names.concerned
    assert concerned(_names.Change(altered=["A"]), users) == {"api"}
    assert concerned(_names.Change(altered=["data.B"]), users) == {"api", "worker"}
    assert concerned(_names.Change(added=["C"]), users) == set()
    # A name that nobody is said to use may be read by anybody.
    assert concerned(_names.Change(removed=["OLD"]), users) == {"api", "worker"}


def test_a_diff_holds_no_value():
    before, after = _names.lines(_names.Change(["A"], ["B"], ["C"]))
    assert before == "B=<hidden>\nC=<old value>\n"
    assert after == "A=<hidden>\nC=<new value>\n"
