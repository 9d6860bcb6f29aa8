# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a vault holds."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action


class ActionModule(Action):
    options = {"service": {"type": "str"}}

    def act(self, args, variables):
        dotage = self.dotage(args, variables)
        recipients, _code = dotage.json("recipients", ["list", "--json"])
        return {"changed": False, "variables": dotage.list(args["service"]), "recipients": recipients}
