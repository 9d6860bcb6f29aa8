# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a dictionary as the .env file of one consumer."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError

from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Dotage, settings


def to_dotenv(values, dialect="compose", binary=None):
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise AnsibleFilterError("to_dotenv takes a dictionary of texts")
    text = json.dumps(dict((str(name), str(value)) for name, value in values.items())).encode()
    return Dotage(settings({"binary": binary}, {})).convert(text, "json", dialect).decode()


class FilterModule:
    def filters(self):
        return {"to_dotenv": to_dotenv}
