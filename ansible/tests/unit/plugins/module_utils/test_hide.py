# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command writes of its environment."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.dotage.secrets.plugins.module_utils import _hide

SECRET = 'it\'s "hunter2"\nover two lines/?&'


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: text.splitlines()[0],
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        json.dumps,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(b"x" + text.encode() + b"y").decode(),
        lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()).decode(),
        lambda text: text.replace("%", "%25").replace(" ", "%20").replace('"', "%22").replace("'", "%27").replace("\n", "%0A").replace("/", "%2F")
        .replace("?", "%3F").replace("&", "%26"),
    ],
)
def test_a_value_is_hidden_in_every_form(form):
    hidden = _hide.hide("before " + form(SECRET) + " after", _hide.needles([SECRET]))
    assert hidden.startswith("before ") and hidden.endswith(" after")
    assert "********" in hidden
    for part in ("hunter2", "two lines", base64.b64encode(SECRET.encode()).decode()[4:-4], b"hunter2".hex()):
        assert part not in hidden


def test_what_is_short_is_left():
    assert _hide.hide("a true story", _hide.needles(["a", "", "tru"])) == "a true story"
