# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection says of itself, and the options of files on hosts."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and say what would change, without changing it.
  diff_mode:
    description: Says in diff mode what changed, or in C(check_mode) what would. Names only, never a value.
  async:
    description: Supports C(async).
    support: none
"""

    GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/dotage.secrets.all) in C(module_defaults) to set its options for every module of the collection.
    support: full
    membership:
      - dotage.secrets.all
"""

    FILE = r"""
options:
  mode:
    description:
      - The permission bits, in octal, as a string.
      - By default what the target declares in C(dotage.yaml), else C(0600).
    type: raw
  owner:
    description: The owner, a name or a number; by default the owner of the file that is there, else the user that writes it.
    type: str
  group:
    description: The group, a name or a number; by default the group of the file that is there, else the group of the user that writes it.
    type: str
  seuser:
    description: The user part of the SELinux context.
    type: str
  serole:
    description: The role part of the SELinux context.
    type: str
  setype:
    description: The type part of the SELinux context.
    type: str
  selevel:
    description: The level part of the SELinux context.
    type: str
  unsafe_writes:
    description:
      - Write into the file where it cannot be replaced, as one that is mounted into a container by itself.
      - A reader may then see half a file.
    type: bool
    default: false
  follow:
    description: Follow a symbolic link at O(dest). Otherwise one is refused.
    type: bool
    default: false
"""
