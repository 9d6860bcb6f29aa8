#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: env_file
short_description: Render a .env file from a vault onto a host
version_added: 0.1.0
description:
  - Decrypts and renders on the control node, through the C(dotage) binary, and puts the finished file on the host in one
    module run. No key and no template gets to the host, and nothing but the file is written there.
  - The file is made with mode C(0600) beside its destination, gets its owner, group, mode and SELinux context there, and only
    then its name. At no moment can it be read by anybody it is not for, and nobody sees half of it.
  - Results and diffs hold names, never values or checksums, so the task needs no C(no_log) and can be run with
    C(-vvv --diff).
  - There is no C(backup), since an old secret that lies about is a secret that lies about. The vault's history has it.
extends_documentation_fragment:
  - dotage.secrets.attributes
  - dotage.secrets.attributes.group
  - dotage.secrets.attributes.file
  - dotage.secrets.project
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  dest:
    description: The file on the host. Its folder has to be there.
    type: path
    required: true
  target:
    description:
      - A target of C(dotage.yaml), which says template, service, names and mode.
      - One of O(target) and O(template) is required if O(state=present).
    type: str
  template:
    description:
      - A template on the control node, as C(NAME.DIALECT.env.j2), looked for where M(ansible.builtin.template) looks, and then
        in the project. It is a template of C(dotage), not of Ansible.
      - Built in are C(variables.compose.env.j2) and its like for every dialect, which list all of a service's variables.
    type: str
  service:
    description: The service whose variables O(template) can see; by default all.
    type: str
  dialect:
    description: The consumers of the file, where the template's name does not say it; several are what all of them read alike.
    type: list
    elements: str
  vars:
    description:
      - Data for the template, as C(vars.NAME) in it.
      - It is quoted like any value. A text that looks like a template stays that text.
    type: dict
  state:
    description: Whether the file is to be there or not.
    type: str
    choices: [present, absent]
    default: present
  validate:
    description:
      - A command that looks at the new file before it is put in place, C(%s) being its path. An exit status other than 0 keeps
        the old file.
      - What the command says is hidden, since it may quote the file.
    type: str
  restart_marker:
    description:
      - Remember beside O(dest), in C(.NAME.restart), which services are to be recreated, until M(dotage.secrets.restarted)
        says that they were.
      - A play that dies between the change and its handlers then loses no restart, since the next run returns them again in
        RV(ignore:services).
    type: bool
    default: false
  _content:
    description: Internal. The bytes of the file, which the action sends.
    type: str
  _names:
    description: Internal. The names in the file, which the action sends.
    type: list
    elements: str
  _users:
    description: Internal. Which services use which name, which the action sends.
    type: dict
  _dialect:
    description: Internal. The consumer of the file, which the action sends.
    type: str
seealso:
  - module: dotage.secrets.restarted
  - module: dotage.secrets.files
  - module: ansible.builtin.template
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: The stack's variables, as dotage.yaml declares them
  dotage.secrets.env_file:
    project: "{{ playbook_dir }}"
    target: compose
    dest: /opt/freeboard/.env

- name: All variables of one service, for systemd's EnvironmentFile=
  dotage.secrets.env_file:
    template: variables.systemd.env.j2
    service: api
    profile: production
    dest: /etc/freeboard/api.env
    owner: freeboard

- name: A template with data of the play
  dotage.secrets.env_file:
    template: api.compose.env.j2
    vars:
      host: "{{ inventory_hostname }}"
    dest: /opt/freeboard/api.env
    validate: /usr/bin/grep -q DB_PASSWORD %s

- name: Gone
  dotage.secrets.env_file:
    dest: /opt/freeboard/old.env
    state: absent
"""

RETURN = r"""
dest:
  description: The file on the host.
  returned: always
  type: str
  sample: /opt/freeboard/.env
added:
  description: The names that the file has now and did not have.
  returned: always
  type: list
  elements: str
  sample: []
removed:
  description: The names that the file had and has no more.
  returned: always
  type: list
  elements: str
  sample: [LEGACY_TOKEN]
altered:
  description: The names whose value is another one. All of them, where the old file's lines are not clear.
  returned: always
  type: list
  elements: str
  sample: [JWT_SECRET]
services:
  description:
    - The services that use one of these names. They have to be recreated, since a container's environment is fixed when it is
      made.
    - With O(restart_marker), those that earlier runs left over too.
  returned: always
  type: list
  elements: str
  sample: [api]
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dotage.secrets.plugins.module_utils import _options, _place


def main():
    module = AnsibleModule(
        argument_spec=dict(
            dict(_options.PROJECT, **_options.RECIPE),
            **_options.FILE,
            dest=dict(type="path", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            validate=dict(type="str"),
            restart_marker=dict(type="bool", default=False, no_log=False),
            _content=dict(type="str", no_log=True),
            _names=dict(type="list", elements="str"),
            _users=dict(type="dict"),
            _dialect=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    params = module.params
    if params["validate"] and "%s" not in params["validate"]:
        module.fail_json(msg="validate has to have a %s, where the path of the new file goes")
    present = params["state"] == "present"
    if present and params["_content"] is None:
        module.fail_json(msg="dotage.secrets.env_file is an action: it does not run by itself")
    path = _place.destination(module, params["dest"])
    new = base64.b64decode(params["_content"]) if present else None
    users = params["_users"] or {}
    mode = params["mode"] if params["mode"] is not None else "0600"
    old = _place.old_bytes(module, path)
    changed = old != new
    added, removed, altered, services, before, after = [], [], [], set(), "", ""
    if changed:
        # Here and not above: a run that changes nothing, as most do, is not to wait until these have been compiled on the host.
        from ansible_collections.dotage.secrets.plugins.module_utils import _names, _replace

        change = _names.compare(old, new, params["_names"] or [], params["_dialect"], declared=users)
        added, removed, altered = change.added, change.removed, change.altered
        services = _names.concerned(change, users) if present else set()
        before, after = _names.lines(change)
    marker = _place.Marker(module, path) if params["restart_marker"] else None
    if marker and present:
        services |= set(marker.read())

    if changed and present:
        if _place.folder_is_there(module, path) and not module.check_mode:
            _replace.replace(module, path, new, mode, params["validate"], before=lambda: marker and marker.write(services))
    elif changed:
        if not module.check_mode:
            _replace.remove(module, path)
            _place.Marker(module, path).write([])
    elif present:
        changed = _place.attributes_differ(module, path, mode)
    module.exit_json(
        changed=changed,
        dest=path,
        added=added,
        removed=removed,
        altered=altered,
        services=sorted(services),
        diff=dict(before=before, after=after, before_header=path, after_header=path),
    )


if __name__ == "__main__":
    main()
