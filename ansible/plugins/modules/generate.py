#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: generate
short_description: Make new values in a vault, as the inventory of secrets declares them
version_added: 0.1.0
description:
  - Works on the control node. Makes values by the operating system's random generator, in the format that C(dotage.yaml)
    declares, straight into the vault. Nobody sees them.
  - A value that is there is left alone, unless O(force=true).
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
    description: The variables; by default every one that can be generated, is required, and has no value.
    type: list
    elements: str
  force:
    description:
      - Replace the values of O(names) that are there. Services keep the old ones until they are deployed again.
      - A task that says so changes something each time it runs.
    type: bool
    default: false
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Values for all that is missing
  dotage.secrets.generate:
    project: "{{ playbook_dir }}"
    profile: production
  run_once: true
"""

RETURN = r"""
generated:
  description: The names of the variables that got a value.
  returned: always
  type: list
  elements: str
  sample: [JWT_SECRET]
"""
