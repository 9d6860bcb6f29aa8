# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads values into variables: never as facts, never as templates."""

from __future__ import annotations

import copy

from ansible.plugins.action import ActionBase

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action
from ansible_collections.dotage.secrets.plugins.plugin_utils._unsafe import unsafe


class ActionModule(Action):
    options = {
        "names": {"type": "list", "elements": "str"},
        "service": {"type": "str"},
        "file": {"type": "str"},
        "name": {"type": "str"},
        "into": {"type": "str", "choices": ["variables", "result"], "default": "variables"},
    }
    rules = {"mutually_exclusive": [["names", "service", "file"]]}

    def act(self, args, variables):
        register = getattr(ActionBase, "register_host_variables", None)
        if args["into"] == "variables" and register is None:
            # A result's facts would be the only way, and they are cached in clear.
            self.fail("variables can be defined from ansible-core 2.21 on; say into: result and register it, or use the lookup dotage.secrets.secrets")
        values = self.dotage(args, variables).values(args["names"] or (), args["service"], args["file"])
        missing = sorted(set(args["names"] or ()) - set(values))
        if missing:
            self.fail("no value for %s" % ", ".join(missing))
        names = sorted(values)
        values = unsafe({args["name"]: values} if args["name"] else values)
        if args["into"] == "result":
            return {"changed": False, "secrets": values, "_ansible_no_log": True}
        from ansible.plugins.action import VariableLayer

        # With run_once, what is registered is shared between hosts.
        register(self, copy.deepcopy(values), VariableLayer.INCLUDE_VARS)
        return {"changed": False, "names": names}
