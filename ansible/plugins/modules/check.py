#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check
short_description: Hold a profile to its contract before it is deployed
version_added: 0.1.0
description:
  - Works on the control node. Runs C(dotage check), and fails with the problems that it finds, which hold no value.
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
  vault:
    description: Open the vault and judge the values too. Without it no identity is needed.
    type: bool
    default: true
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Production keeps its contract
  dotage.secrets.check:
    project: "{{ playbook_dir }}"
    profile: production
  run_once: true
"""

RETURN = r"""
problems:
  description: What was found.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: The rule that is broken.
      type: str
    severity:
      description: V(error), V(warning) or V(note). Only an error fails the task.
      type: str
    path:
      description: The file.
      type: str
    line:
      description: The line.
      type: int
    column:
      description: The column.
      type: int
    message:
      description: What is wrong.
      type: str
    help:
      description: What to type next.
      type: str
  sample: []
"""
