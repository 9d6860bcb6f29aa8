# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes a vault on the control node."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action


class ActionModule(Action):
    options = {
        "name": {"type": "str", "required": True},
        "value": {"type": "str", "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    rules = {"required_if": [["state", "present", ["value"]]]}

    def act(self, args, variables):
        name, present = args["name"], args["state"] == "present"
        dotage = self.dotage(args, variables)
        [row] = [row for row in dotage.list() if row["name"] == name] or [None]
        if row is None and present:
            self.fail("%s is not declared in dotage.yaml" % name)
        there = row is not None and row["value"] == "set"
        if present:
            changed = not there or dotage.values([name]).get(name) != args["value"]
        else:
            changed = there
        if changed and not self._task.check_mode:
            if present:
                # Of an empty stdin it thinks that somebody forgot the value.
                dotage.run("set", ["--verbatim"] if args["value"] else ["--from-file", "/dev/null"], [name], args["value"].encode())
            else:
                dotage.run("unset", names=[name])
        before = "%s=<old value>\n" % name if there else ""
        after = "%s=<new value>\n" % name if present else ""
        if not changed:
            before = after
        header = "vault of profile %s" % (dotage.options["profile"] or "(the default one)")
        return {"changed": changed, "name": name, "diff": {"before": before, "after": after, "before_header": header, "after_header": header}}
