# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a .env file as one consumer does."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError

from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Dotage, settings
from ansible_collections.dotage.secrets.plugins.plugin_utils._unsafe import unsafe


def from_dotenv(text, dialect="compose", binary=None):
    if not isinstance(text, str):
        raise AnsibleFilterError("from_dotenv takes a text")
    return unsafe(json.loads(Dotage(settings({"binary": binary}, {})).convert(text.encode(), dialect, "json")))


class FilterModule:
    def filters(self):
        return {"from_dotenv": from_dotenv}
