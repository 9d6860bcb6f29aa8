#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Put a folder of secrets, or a manifest, onto a host
version_added: 0.1.0
description:
  - Renders a target of C(dotage.yaml) on the control node and puts what it is made of on the host in one module run.
  - A target with C(folder=true) becomes a folder with a file for each variable, its bytes and nothing else, as Docker
    mounts them at C(/run/secrets). Any other target, such as the manifest of a Kubernetes Secret, becomes one file, as
    M(dotage.secrets.env_file) puts it.
  - Each file appears whole, with its owner and mode. Results and diffs hold names, never values.
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
    description: The folder on the host, or the file. The folder is made, with mode C(0700), if it is not there.
    type: path
    required: true
  target:
    description: The target of C(dotage.yaml).
    type: str
    required: true
  directory_mode:
    description: The permission bits of the folder, in octal, as a string; of one that is there, by default what they are.
    type: raw
  purge:
    description: Remove files of the folder that are not of the target. Folders in it, and files whose names begin with a dot, stay.
    type: bool
    default: false
  _files:
    description: Internal. The files of the folder as JSON, which the action sends.
    type: str
  _names:
    description: Internal. The variable of each file, which the action sends.
    type: dict
  _users:
    description: Internal. Which services use which name, which the action sends.
    type: dict
seealso:
  - module: dotage.secrets.env_file
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Docker secrets, one file each
  dotage.secrets.files:
    project: "{{ playbook_dir }}"
    target: api-secrets
    dest: /opt/freeboard/secrets/api
    purge: true

- name: The manifest of a Kubernetes Secret
  dotage.secrets.files:
    target: kubernetes-secret
    dest: /srv/freeboard/secret.yaml
"""

RETURN = r"""
dest:
  description: The folder or the file on the host.
  returned: always
  type: str
  sample: /opt/freeboard/secrets/api
added:
  description: The names that are there now and were not.
  returned: always
  type: list
  elements: str
  sample: []
removed:
  description: The names of files that were removed.
  returned: always
  type: list
  elements: str
  sample: []
altered:
  description: The names whose value is another one.
  returned: always
  type: list
  elements: str
  sample: [jwt_secret]
services:
  description: The services that use one of these names.
  returned: always
  type: list
  elements: str
  sample: [api]
"""

import base64
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dotage.secrets.plugins.module_utils import _names, _options, _place, _replace


def folder(module, path, mode):
    """Makes the folder; whether that, or its attributes, is a change."""
    changed = False
    if not os.path.isdir(path):
        if not _place.folder_is_there(module, path):
            return True
        if module.check_mode:
            return True
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            module.fail_json(msg="%s cannot be made: %s" % (path, os.strerror(error.errno)))
        changed = True
    arguments = module.load_file_common_arguments(dict(module.params, mode=mode, attributes=None), path=path)
    return module.set_fs_attributes_if_different(arguments, changed)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            _options.PROJECT,
            **_options.FILE,
            dest=dict(type="path", required=True),
            directory_mode=dict(type="raw"),
            purge=dict(type="bool", default=False),
            target=dict(type="str", required=True),
            _files=dict(type="str", no_log=True),
            _names=dict(type="dict"),
            _users=dict(type="dict"),
        ),
        supports_check_mode=True,
    )
    params = module.params
    if params["_files"] is None:
        module.fail_json(msg="dotage.secrets.files is an action: it does not run by itself")
    path = params["dest"]
    if os.path.islink(path):
        if not params["follow"]:
            module.fail_json(msg="%s is a symbolic link; name the folder itself, or say follow: true" % path)
        path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isdir(path):
        module.fail_json(msg="%s is a file; name a folder" % path)
    files = {name: base64.b64decode(data) for name, data in json.loads(params["_files"]).items()}
    if any(name in ("", ".", "..") or "/" in name for name in files):
        module.fail_json(msg="the target has a file whose name is a path")
    mode = params["mode"] if params["mode"] is not None else "0600"
    changed = folder(module, path, params["directory_mode"])
    there = os.listdir(path) if os.path.isdir(path) else []
    change = _names.Change()
    for name in sorted(files):
        file = _place.destination(module, os.path.join(path, name))
        old = _place.old_bytes(module, file)
        if old != files[name]:
            (change.added if old is None else change.altered).append(name)
            if not module.check_mode:
                _replace.replace(module, file, files[name], mode)
        elif _place.attributes_differ(module, file, mode):
            changed = True
    if params["purge"]:
        for name in sorted(there):
            file = os.path.join(path, name)
            if name in files or name.startswith(".") or os.path.isdir(file):
                continue
            change.removed.append(name)
            if not module.check_mode:
                _replace.remove(module, file)
    before, after = _names.lines(change)
    variables = params["_names"] or {}
    names = _names.Change(altered=[variables.get(name, name) for name in change.all()])
    module.exit_json(
        changed=changed or bool(change.all()),
        dest=path,
        added=change.added,
        removed=change.removed,
        altered=change.altered,
        services=sorted(_names.concerned(names, params["_users"] or {})),
        diff=dict(before=before, after=after, before_header=path, after_header=path),
    )


if __name__ == "__main__":
    main()
