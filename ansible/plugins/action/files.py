# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a folder of secrets on the control node and sends its files to the host."""

from __future__ import annotations

import json

from ansible_collections.dotage.secrets.plugins.module_utils._options import FILE
from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action
from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Hidden


class ActionModule(Action):
    _requires_connection = True
    options = dict(
        FILE,
        dest={"type": "path", "required": True},
        target={"type": "str", "required": True},
        directory_mode={"type": "raw"},
        purge={"type": "bool", "default": False},
    )

    def act(self, args, variables):
        args["dest"] = self._task.args["dest"]
        made = self.render(args, variables)
        files = made["files"]
        if [file["name"] for file in files] == [None]:
            return self.place("env_file", args, made, variables, _content=Hidden(files[0]["base64"]), _names=made["names"], _dialect=made["dialect"])
        # The binary gives a folder's files in the order of its names.
        names = {file["name"]: name for file, name in zip(files, made["names"])}
        contents = Hidden(json.dumps({file["name"]: file["base64"] for file in files}))
        more = {name: args[name] for name in ("directory_mode", "purge") if args.get(name) is not None}
        return self.place("files", args, made, variables, target=args["target"], _files=contents, _names=names, **more)
