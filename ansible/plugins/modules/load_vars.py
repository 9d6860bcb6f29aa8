#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: load_vars
short_description: Load values of a vault into variables
version_added: 0.1.0
description:
  - Opens a vault on the control node and defines its values as variables of the host, or gives them as the result.
  - The values are never facts, so that no fact cache keeps them, and never templates, whatever they look like.
  - Variables can be seen by every later task. For a file on the host M(dotage.secrets.env_file) keeps the values out of
    Ansible altogether.
extends_documentation_fragment:
  - dotage.secrets.attributes
  - dotage.secrets.attributes.group
  - dotage.secrets.project
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  names:
    description: The variables; by default all of O(service), or all that there are.
    type: list
    elements: str
  service:
    description: The service whose variables are loaded.
    type: str
  file:
    description:
      - An age file, or a folder of them, that belongs to no project, on the control node. All that it holds is loaded.
      - A relative path is relative to the folder of the playbook.
    type: str
  name:
    description: The variable that gets the values as a dictionary. Without it each value is a variable by its own name.
    type: str
  into:
    description:
      - Where the values go.
    type: str
    choices:
      variables: Variables of the host, with the precedence of M(ansible.builtin.include_vars). Needs ansible-core 2.21 or newer.
      result: RV(secrets) of the task's result, to be registered. Its output is hidden.
    default: variables
seealso:
  - plugin: dotage.secrets.secrets
    plugin_type: lookup
  - plugin: dotage.secrets.vault
    plugin_type: vars
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Two values, on any ansible-core
  dotage.secrets.load_vars:
    project: "{{ playbook_dir }}"
    profile: production
    names: [POSTGRES_USER, POSTGRES_PASSWORD]
    into: result
  register: database

- name: Use one
  community.postgresql.postgresql_ping:
    login_user: "{{ database.secrets.POSTGRES_USER }}"
    login_password: "{{ database.secrets.POSTGRES_PASSWORD }}"

- name: An age file of its own, as variables
  dotage.secrets.load_vars:
    file: vars/backup.age
    name: backup
"""

RETURN = r"""
names:
  description: The names that were loaded.
  returned: if O(into=variables)
  type: list
  elements: str
  sample: [POSTGRES_PASSWORD]
secrets:
  description: The values by name.
  returned: if O(into=result)
  type: dict
  sample: {}
"""
