#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: command
short_description: Run one command on a host with secrets in its environment
version_added: 0.1.0
description:
  - Decrypts on the control node and hands the values to one command's environment on the host. They travel through the
    connection's standard input and are written to no file there, if pipelining is on.
  - In what the command writes, the values are hidden, and so are their forms in base64, hexadecimal, JSON and URLs. Values
    shorter than four characters are not, since hiding them would hide every text.
  - The command is started as it is, by no shell.
extends_documentation_fragment:
  - dotage.secrets.attributes
  - dotage.secrets.attributes.group
  - dotage.secrets.project
attributes:
  check_mode:
    support: partial
    details: The command is not run, and is taken to change something unless O(creates) or O(removes) says otherwise.
  diff_mode:
    support: none
options:
  cmd:
    description: The command, split into words as a shell does. One of O(cmd) and O(argv) is required.
    type: str
  argv:
    description: The command as a list of words.
    type: list
    elements: str
  names:
    description: The variables that the command gets; by default all of O(service), or all that there are.
    type: list
    elements: str
  service:
    description: The service whose variables the command gets.
    type: str
  chdir:
    description: The folder to run it in.
    type: path
  creates:
    description: A path; if it is there already, the command is not run.
    type: path
  removes:
    description: A path; if it is not there, the command is not run.
    type: path
  _environment:
    description: Internal. The variables as JSON, which the action sends.
    type: str
seealso:
  - module: ansible.builtin.command
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Re-encrypt what the database holds
  dotage.secrets.command:
    cmd: npm run credentials:reencrypt
    chdir: /opt/freeboard
    names: [CREDENTIAL_ENCRYPTION_KEY, FREEBOARD_POSTGRES_URL]
"""

RETURN = r"""
cmd:
  description: The command, as a list of words.
  returned: always
  type: list
  elements: str
  sample: [npm, run, migrate]
rc:
  description: Its exit status.
  returned: when it was run
  type: int
  sample: 0
stdout:
  description: What it wrote to its standard output, the values hidden.
  returned: when it was run
  type: str
  sample: done
stderr:
  description: What it wrote to its standard error, the values hidden.
  returned: when it was run
  type: str
  sample: ''
names:
  description: The names that were in its environment.
  returned: when it was run
  type: list
  elements: str
  sample: [FREEBOARD_POSTGRES_URL]
"""

import glob
import json
import shlex

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dotage.secrets.plugins.module_utils import _hide, _options


def main():
    module = AnsibleModule(
        argument_spec=dict(
            _options.PROJECT,
            **_options.COMMAND,
            chdir=dict(type="path"),
            creates=dict(type="path"),
            removes=dict(type="path"),
            _environment=dict(type="str", no_log=True),
        ),
        mutually_exclusive=[["cmd", "argv"], ["names", "service"]],
        required_one_of=[["cmd", "argv"]],
        supports_check_mode=True,
    )
    params = module.params
    if params["_environment"] is None:
        module.fail_json(msg="dotage.secrets.command is an action: it does not run by itself")
    words = params["argv"] or shlex.split(params["cmd"])
    if params["creates"] and glob.glob(params["creates"]):
        module.exit_json(changed=False, cmd=words, msg="not run: %s is there" % params["creates"])
    if params["removes"] and not glob.glob(params["removes"]):
        module.exit_json(changed=False, cmd=words, msg="not run: %s is not there" % params["removes"])
    if module.check_mode:
        module.exit_json(changed=True, cmd=words, msg="not run: this is a check")
    environment = json.loads(params["_environment"])
    needles = _hide.needles(environment.values())
    # Whatever a result quotes is masked by Ansible as well.
    module.no_log_values.update(needles)
    code, out, err = module.run_command(words, cwd=params["chdir"], environ_update=environment, errors="surrogateescape")
    result = dict(
        changed=True,
        cmd=words,
        rc=code,
        stdout=_hide.hide(out, needles).rstrip("\r\n"),
        stderr=_hide.hide(err, needles).rstrip("\r\n"),
        names=sorted(environment),
    )
    if code != 0:
        module.fail_json(msg="the command ended with exit status %d" % code, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
