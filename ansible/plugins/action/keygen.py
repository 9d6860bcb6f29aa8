# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an identity on the control node."""

from __future__ import annotations

import os

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action


class ActionModule(Action):
    def act(self, args, variables):
        dotage = self.dotage(args, variables)
        path = dotage.identity_file()
        if not path:
            self.fail("say where the identity is to be: identity_file, or the variable dotage_identity_file")
        there = os.path.lexists(path)
        if not there and not self._task.check_mode:
            dotage.run("keygen", ["-o", path], project=False)
        return {"changed": not there, "path": path}
