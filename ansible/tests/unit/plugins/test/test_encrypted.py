# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text or a file is encrypted."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.test.encrypted import encrypted


def test_a_text_and_a_file(tmp_path):
    armored = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n"
    assert encrypted(armored)
    assert encrypted("age-encryption.org/v1\n-> X25519 a\n")
    file = tmp_path / "a.age"
    assert not encrypted(str(file))
    file.write_text(armored)
    assert encrypted(str(file))
    file.write_text("A: in clear\n")
    assert not encrypted(str(file))
    for other in ("hunter2", "", None, 5, "a\0b", "$ANSIBLE_VAULT;1.1;AES256\n"):
        assert not encrypted(other)
