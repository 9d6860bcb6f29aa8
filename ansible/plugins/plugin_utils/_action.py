# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's actions have in common: their arguments, the binary, and the way to the host."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.dotage.secrets.plugins.module_utils._options import FILE, PROJECT
from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Dotage, configured, settings

# Ansible reads an action before it forks a worker for each host: what is read along with it is read once.
configured()


class Action(ActionBase):
    """An action of the collection: `options` is its argument spec, `act` what it does."""

    _requires_connection = False
    options = {}
    rules = {}

    def act(self, args, variables):
        raise NotImplementedError

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        variables = task_vars or {}
        own = sorted(name for name in self._task.args if name.startswith("_"))
        if own:
            raise AnsibleActionFail("%s is internal and cannot be set" % ", ".join(own))
        _result, args = self.validate_argument_spec(argument_spec=dict(PROJECT, **self.options), **self.rules)
        try:
            return self.act(args, variables)
        except AnsibleActionFail:
            raise
        except AnsibleError as error:
            # The message alone: a chained error may quote what it worked on.
            message = str(error)
        raise AnsibleActionFail(message)

    def fail(self, message):
        raise AnsibleActionFail(message)

    def dotage(self, args, variables):
        return Dotage(settings(args, variables, self._templar), self._loader.get_basedir())

    def render(self, args, variables):
        template = args.get("template")
        if template:
            try:
                template = self._find_needle("templates", template)
            except AnsibleError:
                pass  # The project's, or one that is built in.
        dotage = self.dotage(args, variables)
        return dotage.render(args.get("target"), template, args.get("service"), args.get("dialect") or (), args.get("vars"))

    def place(self, module, args, made, task_vars, **more):
        """Runs the module on the host, once, with the bytes as an argument that nothing shows."""
        arguments = {name: args[name] for name in list(FILE) + ["dest"] if args.get(name) is not None}
        if made:
            arguments.setdefault("mode", made["mode"])
            arguments["_users"] = made["used_by"]
        arguments.update(more)
        return self.execute(module, arguments, task_vars)

    def execute(self, module, arguments, task_vars):
        """Runs a module of the collection on the host, once."""
        if not self._is_pipelining_enabled("new"):
            Display().warning(
                "pipelining is off: while the module runs, its arguments, the secrets among them, lie in a folder of mode 0700 on the host. "
                "Set pipelining = True under [connection] in ansible.cfg"
            )
        result = self._execute_module(module_name="dotage.secrets." + module, module_args=arguments, task_vars=task_vars)
        # What the module was called with says nothing that the task does not say.
        result.pop("invocation", None)
        return result
