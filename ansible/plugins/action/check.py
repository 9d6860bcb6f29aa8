# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a profile to its contract."""

from __future__ import annotations

from ansible_collections.dotage.secrets.plugins.plugin_utils._action import Action


class ActionModule(Action):
    options = {"vault": {"type": "bool", "default": True}}

    def act(self, args, variables):
        dotage = self.dotage(args, variables)
        problems, code = dotage.json("check", ["--json"] + ([] if args["vault"] else ["--no-vault"]), allowed=(0, 1))
        result = {"changed": False, "problems": problems}
        if code == 1:
            errors = [problem for problem in problems if problem["severity"] == "error"]
            result.update(failed=True, msg="the contract is broken: %s" % "; ".join(map(said, errors)))
        return result


def said(problem):
    place = ":".join(str(part) for part in (problem["path"], problem["line"]) if part is not None)
    return "%s: %s" % (place, problem["message"]) if place else problem["message"]
