# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules have, and the actions that stand before them."""

from __future__ import annotations

# Where the project, its binary and its identities are: taken by the action, which does not send them on.
PROJECT = {
    "project": {"type": "str"},
    "profile": {"type": "str"},
    "binary": {"type": "str"},
    "identity_file": {"type": "str"},
    "identity_command": {"type": "str"},
}

# What to render: taken by the action.
RECIPE = {
    "target": {"type": "str"},
    "template": {"type": "str"},
    "service": {"type": "str"},
    "dialect": {"type": "list", "elements": "str"},
    "vars": {"type": "dict"},
}

# Who may do what with a file on the host.
FILE = {
    "mode": {"type": "raw"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "seuser": {"type": "str"},
    "serole": {"type": "str"},
    "setype": {"type": "str"},
    "selevel": {"type": "str"},
    "unsafe_writes": {"type": "bool", "default": False},
    "follow": {"type": "bool", "default": False},
}

# Which command to run.
COMMAND = {
    "cmd": {"type": "str"},
    "argv": {"type": "list", "elements": "str"},
    "names": {"type": "list", "elements": "str"},
    "service": {"type": "str"},
}
