# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the vault on the control node and hands the values to one command on the host."""

from __future__ import annotations

import json

from ansible_collections.dotage.secrets.plugins.module_utils._options import COMMAND
from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action
from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Hidden


class ActionModule(Action):
    _requires_connection = True
    # Paths are the host's.
    options = dict(COMMAND, chdir={"type": "str"}, creates={"type": "str"}, removes={"type": "str"})
    rules = {
        "mutually_exclusive": [["cmd", "argv"], ["names", "service"]],
        "required_one_of": [["cmd", "argv"]],
    }

    def act(self, args, variables):
        values = self.dotage(args, variables).values(args["names"] or (), args["service"])
        missing = sorted(set(args["names"] or ()) - set(values))
        if missing:
            self.fail("no value for %s" % ", ".join(missing))
        arguments = {name: args[name] for name in ("cmd", "argv", "chdir", "creates", "removes") if args[name] is not None}
        # As one text: Ansible hides each part of a hidden dictionary in the result, and a part may be a mere 1.
        arguments["_environment"] = Hidden(json.dumps(values))
        return self.execute("command", arguments, variables)
