#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_set
short_description: Put a value into a vault, or take it out
version_added: 0.1.0
description:
  - Works on the control node, on the vault of the project. The host of the task does not matter; O(ignore:run_once) is usual.
  - Nothing is written if the vault has this value already.
  - For a value that a person makes up there is C(dotage set), and for a random one M(dotage.secrets.generate).
extends_documentation_fragment:
  - dotage.secrets.attributes
  - dotage.secrets.attributes.group
  - dotage.secrets.project
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description: The variable, as C(dotage.yaml) declares it.
    type: str
    required: true
  value:
    description: Its value. Required if O(state=present).
    type: str
  state:
    description: Whether the variable is to have the value, or none.
    type: str
    choices: [present, absent]
    default: present
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Keep what the provider gave us
  dotage.secrets.vault_set:
    project: "{{ playbook_dir }}"
    profile: production
    name: SMTP_PASSWORD
    value: "{{ made.json.password }}"
  run_once: true

- name: Forget it
  dotage.secrets.vault_set:
    profile: production
    name: SMTP_PASSWORD
    state: absent
  run_once: true
"""

RETURN = r"""
name:
  description: The variable.
  returned: always
  type: str
  sample: SMTP_PASSWORD
"""
