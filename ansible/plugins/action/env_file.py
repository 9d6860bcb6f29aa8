# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders on the control node and sends the finished file to the host."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.module_utils._options import FILE, RECIPE
from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action
from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Hidden


class ActionModule(Action):
    _requires_connection = True
    options = dict(
        RECIPE,
        **FILE,
        dest={"type": "path", "required": True},
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        validate={"type": "str"},
        restart_marker={"type": "bool", "default": False, "no_log": False},
    )
    rules = dict(mutually_exclusive=[["target", "template"], ["target", "service"]])

    def act(self, args, variables):
        more = {name: args[name] for name in ("state", "validate", "restart_marker") if args.get(name) is not None}
        # The host's own home and variables are meant by a path, not the control node's.
        args["dest"] = self._task.args["dest"]
        if args["state"] == "absent":
            return self.place("env_file", args, None, variables, **more)
        if not args["target"] and not args["template"]:
            self.fail("say what to render: target or template")
        made = self.render(args, variables)
        [file] = made["files"] if len(made["files"]) == 1 else [None]
        if file is None or file["name"] is not None:
            self.fail("target %s is a folder of files: use dotage.secrets.files" % made["target"])
        more.update(_content=Hidden(file["base64"]), _names=made["names"], _dialect=made["dialect"])
        return self.place("env_file", args, made, variables, **more)
