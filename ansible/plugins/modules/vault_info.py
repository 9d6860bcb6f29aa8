#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_info
short_description: Say what a vault holds and who reads it, never a value
version_added: 0.1.0
description:
  - Works on the control node. Lists the variables that C(dotage.yaml) declares, whether each has a value, and the recipients
    of each bundle.
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
  service:
    description: Only the variables of this service.
    type: str
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: What production has
  dotage.secrets.vault_info:
    project: "{{ playbook_dir }}"
    profile: production
  register: vault
  run_once: true

- name: Nothing is missing
  ansible.builtin.assert:
    that: vault.variables | selectattr('value', 'eq', 'missing') | length == 0
  run_once: true
"""

RETURN = r"""
variables:
  description: The variables.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    value:
      description: >-
        V(set), V(default), V(derived), V(missing), V(-) for none where none is needed, or V(?) if no identity opens the vault.
      type: str
    used_by:
      description: The services that use it.
      type: list
      elements: str
    class:
      description: Its class, empty without one.
      type: str
    needed:
      description: When the profile needs a value, V(required), V(optional) or V(while SWITCH).
      type: str
    format:
      description: What it has to look like.
      type: str
    sensitive:
      description: Whether it is a secret.
      type: bool
    purpose:
      description: What it is for.
      type: str
  sample:
    - name: JWT_SECRET
      value: set
      used_by: [api]
      class: user-auth
      needed: required
      format: token
      sensitive: true
      purpose: signs user auth JWTs
recipients:
  description: By bundle, the public keys that it is encrypted to.
  returned: always
  type: dict
  sample:
    gateway-trust:
      - key: age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg
        comment: ann
"""
