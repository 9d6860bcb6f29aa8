#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: keygen
short_description: Make an identity, the key that opens vaults, where there is none
version_added: 0.1.0
description:
  - Works on the control node. Makes the file of O(identity_file), mode 0600, in a folder of mode 0700, if it is not there. One
    that is there is left alone, and not read.
  - A new identity opens nothing yet. Somebody who can open the vault adds it with C(dotage recipients add); what needs the
    vault fails until then, with the command to type.
extends_documentation_fragment:
  - dotage.secrets.attributes
  - dotage.secrets.attributes.group
  - dotage.secrets.project
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: The control node has an identity
  dotage.secrets.keygen:
    identity_file: ~/.config/dotage/identity.txt
  run_once: true
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
  sample: /home/ann/.config/dotage/identity.txt
"""
