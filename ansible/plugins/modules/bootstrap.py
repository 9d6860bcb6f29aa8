#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap
short_description: Open the bootstrap of the first administrator, or close it after the first login
version_added: 0.1.0
description:
  - Works on the control node, on the vault of the project. Opening turns the switch that C(dotage.yaml) declares on, and makes a
    password where there is none. Closing turns it off, and takes the password out of the vault.
  - The hosts have what is in the vault when they are deployed again. The password is not shown; C(dotage get) gives it to a pipe.
  - One that was closed is opened again by O(state=open), so keep that for the first start.
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
  state:
    description: Whether the bootstrap is to be open or closed.
    type: str
    choices: [closed, open]
    required: true
  name:
    description: The variable that the bootstrap needs, or its switch, where C(dotage.yaml) declares several.
    type: str
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: The first administrator has logged in
  dotage.secrets.bootstrap:
    profile: production
    state: closed
  run_once: true
"""

RETURN = r"""
names:
  description: The names of the variables that were set, or taken out.
  returned: always
  type: list
  elements: str
  sample: [ADMIN_PASSWORD, CREATE_ADMIN]
switch:
  description: The name of the switch.
  returned: always
  type: str
  sample: CREATE_ADMIN
"""
