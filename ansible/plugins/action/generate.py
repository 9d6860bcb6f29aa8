# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes new values on the control node."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action


class ActionModule(Action):
    options = {
        "names": {"type": "list", "elements": "str"},
        "force": {"type": "bool", "default": False},
    }

    def act(self, args, variables):
        dotage = self.dotage(args, variables)
        if args["force"] and not args["names"]:
            self.fail("force needs names: nobody replaces every secret at once")
        held = {row["name"] for row in dotage.list() if row["value"] == "set"}
        if args["names"]:
            wanted = [name for name in args["names"] if args["force"] or name not in held]
            if not wanted:
                return {"changed": False, "generated": []}
            arguments = ["--force"] if args["force"] else []
        else:
            if not dotage.options.get("profile"):
                self.fail("say which profile is to get values")
            wanted, arguments = [], ["--missing"]
        if self._task.check_mode:
            _code, _out, said = dotage.run("generate", arguments + ["--dry-run"], wanted)
            generated = wanted or names_in(said)
        else:
            dotage.run("generate", arguments, wanted)
            generated = wanted or sorted({row["name"] for row in dotage.list() if row["value"] == "set"} - held)
        return {"changed": bool(generated), "generated": generated}


def names_in(said):
    """The names in `would generate A, B in profile production`."""
    for line in said.splitlines():
        if line.startswith("would generate "):
            return sorted(line[len("would generate ") :].rsplit(" in profile ", 1)[0].split(", "))
    return []
