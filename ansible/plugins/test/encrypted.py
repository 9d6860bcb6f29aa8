# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text, or the file at a path, is encrypted with age."""

from __future__ import annotations

import os

BINARY = b"age-encryption.org/v1"
ARMORED = b"-----BEGIN AGE ENCRYPTED FILE-----"


def encrypted(value):
    if not isinstance(value, str):
        return False
    start = value.lstrip().encode("utf-8", "surrogateescape")
    if start.startswith((BINARY, ARMORED)):
        return True
    if "\n" in value or "\0" in value or not os.path.isfile(value):
        return False
    with open(value, "rb") as file:
        return file.read(64).lstrip().startswith((BINARY, ARMORED))


class TestModule:
    def tests(self):
        return {"encrypted": encrypted}
