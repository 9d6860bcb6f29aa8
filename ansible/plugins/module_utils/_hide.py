# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in a text, and the forms that they travel in, hidden."""

from __future__ import annotations

import base64
import json

from urllib.parse import quote, quote_plus

# Shorter ones would hide every text.
SHORTEST = 4


def needles(values):
    """What to look for, the longest first."""
    found = set()
    for value in values:
        for text in [value] + value.splitlines():
            if len(text) < SHORTEST:
                continue
            data = text.encode("utf-8", "surrogateescape")
            forms = [text, data.hex(), data.hex().upper(), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
            forms += [quote(text, safe=""), quote(text), quote_plus(text)]
            forms += [base64.b64encode(data).decode("ascii"), base64.urlsafe_b64encode(data).decode("ascii")]
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                # As a part of something longer it stands at one of three offsets; what its ends share with others is left out.
                for before in range(3):
                    coded = encode(b"\0" * before + data).decode("ascii").rstrip("=")
                    forms.append(coded[(0, 2, 3)[before] : len(coded) if (before + len(data)) % 3 == 0 else -1])
            found.update(form for form in forms if len(form) >= SHORTEST)
    return sorted(found, key=len, reverse=True)


def hide(text, wanted):
    for needle in wanted:
        text = text.replace(needle, "********")
    return text
