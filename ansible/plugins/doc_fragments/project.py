# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where the project, its binary and its identities are."""

from __future__ import annotations


class ModuleDocFragment:
    # For actions.
    DOCUMENTATION = r"""
options:
  project:
    description:
      - The folder with C(dotage.yaml), or one below it, on the control node.
      - A relative path is relative to the folder of the playbook.
      - Without it, the variable C(dotage_project), the environment variable E(DOTAGE_DIRECTORY), C(project) in the
        section C([dotage]) of C(ansible.cfg), and at last the folder of the playbook.
    type: str
  profile:
    description:
      - The profile whose values are meant.
      - Without it, the variable C(dotage_profile), the environment variable E(DOTAGE_PROFILE), C(profile) in the section
        C([dotage]) of C(ansible.cfg); at last the target's own, the only one, or C(development).
    type: str
  binary:
    description:
      - The C(dotage) binary on the control node, a path or a name to look for in E(PATH).
      - Without it, the variable C(dotage_binary), the environment variable E(DOTAGE_BINARY), C(binary) in the section
        C([dotage]) of C(ansible.cfg), the one installed beside C(ansible) by C(pip install dotage), and at last E(PATH).
    type: str
  identity_file:
    description:
      - The file with the identity that opens the vault, on the control node. It never leaves it.
      - Without it, the variable C(dotage_identity_file), the environment variable E(DOTAGE_IDENTITY_FILE), C(identity_file)
        in the section C([dotage]) of C(ansible.cfg); at last where C(dotage) looks by itself.
    type: str
  identity_command:
    description:
      - A command on the control node that writes the identity to its standard output.
      - Without it, the environment variable E(DOTAGE_IDENTITY_COMMAND), or C(identity_command) in the section C([dotage])
        of C(ansible.cfg). There is no variable for it, since a host's facts can define variables.
    type: str
requirements:
  - The C(dotage) binary 0.1.0 or newer on the control node. Nothing is needed on the hosts.
notes:
  - C(dotage) runs on the control node, so O(ignore:become), C(environment) and C(delegate_to) of a task do not reach it.
"""

    # For plugins that have a configuration of their own.
    PLUGIN = r"""
options:
  project:
    description:
      - The folder with C(dotage.yaml), or one below it.
      - A relative path is relative to the folder of the playbook, which is also the default.
    type: str
    vars:
      - name: dotage_project
    env:
      - name: DOTAGE_DIRECTORY
    ini:
      - section: dotage
        key: project
  profile:
    description:
      - The profile whose values are meant; by default the only one, or C(development).
    type: str
    vars:
      - name: dotage_profile
    env:
      - name: DOTAGE_PROFILE
    ini:
      - section: dotage
        key: profile
  binary:
    description:
      - The C(dotage) binary, a path or a name to look for in E(PATH).
      - By default the one installed beside C(ansible) by C(pip install dotage), else the one in E(PATH).
    type: str
    vars:
      - name: dotage_binary
    env:
      - name: DOTAGE_BINARY
    ini:
      - section: dotage
        key: binary
  identity_file:
    description:
      - The file with the identity that opens the vault; by default where C(dotage) looks by itself.
    type: str
    vars:
      - name: dotage_identity_file
    env:
      - name: DOTAGE_IDENTITY_FILE
    ini:
      - section: dotage
        key: identity_file
  identity_command:
    description:
      - A command that writes the identity to its standard output.
      - There is no variable for it, since a host's facts can define variables.
    type: str
    env:
      - name: DOTAGE_IDENTITY_COMMAND
    ini:
      - section: dotage
        key: identity_command
requirements:
  - The C(dotage) binary 0.1.0 or newer on the control node.
"""

    # For a plugin that runs before there are variables.
    CONFIGURED = r"""
options:
  project:
    description:
      - The folder with C(dotage.yaml), or one below it.
      - A relative path is relative to the folder of the playbook, which is also the default.
    type: str
    env:
      - name: DOTAGE_DIRECTORY
    ini:
      - section: dotage
        key: project
  profile:
    description:
      - The profile whose values are meant; by default the only one, or C(development).
    type: str
    env:
      - name: DOTAGE_PROFILE
    ini:
      - section: dotage
        key: profile
  binary:
    description:
      - The C(dotage) binary, a path or a name to look for in E(PATH).
      - By default the one installed beside C(ansible) by C(pip install dotage), else the one in E(PATH).
    type: str
    env:
      - name: DOTAGE_BINARY
    ini:
      - section: dotage
        key: binary
  identity_file:
    description:
      - The file with the identity that opens the vault; by default where C(dotage) looks by itself.
    type: str
    env:
      - name: DOTAGE_IDENTITY_FILE
    ini:
      - section: dotage
        key: identity_file
  identity_command:
    description:
      - A command that writes the identity to its standard output.
    type: str
    env:
      - name: DOTAGE_IDENTITY_COMMAND
    ini:
      - section: dotage
        key: identity_command
requirements:
  - The C(dotage) binary 0.1.0 or newer on the control node.
"""
