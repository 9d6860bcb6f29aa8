# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault
short_description: Variables from age files beside group_vars and host_vars, and from a project's vaults by group
version_added: 0.1.0
description:
  - Loads C(group_vars/GROUP.age), C(host_vars/HOST.age), and the files that end in C(.age) in the folders C(group_vars/GROUP)
    and C(host_vars/HOST), beside the inventory and the playbook. What each holds are the variables.
  - For a group that O(profiles) names, loads the values of the project's profile of that name into the variable O(variable).
  - Each is opened once in a run, by Ansible's main process, whatever the number of hosts and tasks.
  - A value is never taken for a template, whatever it looks like.
  - It has to be enabled, with C(vars_plugins_enabled = host_group_vars,dotage.secrets.vault) in C(ansible.cfg).
extends_documentation_fragment:
  - dotage.secrets.project.configured
options:
  stage:
    description:
      - When the variables are loaded. With V(inventory) or V(all), they are seen by C(ansible-inventory), and by AWX, which
        stores what it sees.
    type: str
    choices: [all, inventory, task]
    default: task
    ini:
      - section: dotage
        key: vars_stage
    env:
      - name: DOTAGE_VARS_STAGE
  profiles:
    description: The groups whose hosts get the values of the project's profile of the same name.
    type: list
    elements: str
    default: []
    ini:
      - section: dotage
        key: vars_profiles
    env:
      - name: DOTAGE_VARS_PROFILES
  variable:
    description: The variable that holds the values of a profile, as a dictionary.
    type: str
    default: secrets
    ini:
      - section: dotage
        key: vars_variable
    env:
      - name: DOTAGE_VARS_VARIABLE
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
# ansible.cfg
#   [defaults]
#   vars_plugins_enabled = host_group_vars,dotage.secrets.vault
#   [dotage]
#   vars_profiles = production
#
# Beside the inventory, made with `age -R .age-recipients` or `dotage`:
#   group_vars/database.age      BECOME_PASSWORD: …
#   host_vars/db1/tls.age        TLS_KEY: …

- name: A password for privilege escalation, and a value of the project's profile `production`
  hosts: production
  become: true
  vars:
    ansible_become_password: "{{ BECOME_PASSWORD }}"
  tasks:
    - name: Log in
      community.postgresql.postgresql_ping:
        login_password: "{{ secrets.POSTGRES_PASSWORD }}"
"""

import os

from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin

from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import OPTIONS, Dotage
from ansible_collections.dotage.secrets.plugins.plugin_utils._unsafe import unsafe

# What was opened in this run, by what it was opened from.
OPENED = {}


def _files(folder, name):
    """The age files of a host or group."""
    path = os.path.join(folder, name + ".age")
    found = [path] if os.path.isfile(path) else []
    inside = os.path.join(folder, name)
    if os.path.isdir(inside):
        found += sorted(os.path.join(inside, file) for file in os.listdir(inside) if file.endswith(".age") and not file.startswith("."))
    return found


class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader, path, entities, cache=True):
        super().get_vars(loader, path, entities)
        variables = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if isinstance(entity, Host):
                kind = "host_vars"
            elif isinstance(entity, Group):
                kind = "group_vars"
            else:
                continue
            # A host may be called like a path, and a path leads anywhere.
            if entity.name.startswith(os.path.sep):
                continue
            for file in _files(os.path.join(self._basedir, kind), entity.name):
                variables.update(self._open(loader, file))
            if kind == "group_vars" and entity.name in self.get_option("profiles"):
                variables[self.get_option("variable")] = self._profile(loader, entity.name)
        return variables

    def _dotage(self, loader, **more):
        return Dotage(dict({option: self.get_option(option) for option in OPTIONS}, **more), loader.get_basedir())

    def _open(self, loader, file):
        now = os.stat(file)
        key = (file, now.st_mtime_ns, now.st_size)
        if key not in OPENED:
            OPENED[key] = unsafe(self._dotage(loader).values(vault=os.path.abspath(file)))
        return OPENED[key]

    def _profile(self, loader, profile):
        dotage = self._dotage(loader, profile=profile)
        key = (dotage.options["project"], dotage.basedir, profile)
        if key not in OPENED:
            OPENED[key] = unsafe(dotage.values())
        return OPENED[key]
