# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens or closes the bootstrap of the first administrator, on the control node."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action

VERBS = {"open": "open", "closed": "close"}


class ActionModule(Action):
    options = {
        "state": {"type": "str", "choices": sorted(VERBS), "required": True},
        "name": {"type": "str"},
    }

    def act(self, args, variables):
        arguments = [VERBS[args["state"]], "--json"] + (["--dry-run"] if self._task.check_mode else [])
        told, _code = self.dotage(args, variables).json("bootstrap", arguments, [args["name"]] if args["name"] else [])
        return {name: told[name] for name in ("changed", "names", "switch")}
