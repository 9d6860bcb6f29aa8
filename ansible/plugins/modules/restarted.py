#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restarted
short_description: Say that a service was recreated with its new secrets
version_added: 0.1.0
description:
  - Takes services out of the marker that M(dotage.secrets.env_file) keeps with O(ignore:restart_marker=true), once they run
    with what the file says. Run it after the service is healthy, so that a play that dies before is made good by the next.
extends_documentation_fragment:
  - dotage.secrets.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  dest:
    description: The file on the host.
    type: path
    required: true
  services:
    description: The services that were recreated; by default all.
    type: list
    elements: str
seealso:
  - module: dotage.secrets.env_file
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: The API runs with its new secrets
  dotage.secrets.restarted:
    dest: /opt/freeboard/.env
    services: [api]
"""

RETURN = r"""
services:
  description: The services that are still to be recreated.
  returned: always
  type: list
  elements: str
  sample: []
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dotage.secrets.plugins.module_utils import _place


def main():
    module = AnsibleModule(
        argument_spec=dict(
            dest=dict(type="path", required=True),
            services=dict(type="list", elements="str"),
        ),
        supports_check_mode=True,
    )
    path = os.path.realpath(module.params["dest"])
    marker = _place.Marker(module, path)
    before = marker.read()
    done = module.params["services"]
    left = [] if done is None else [service for service in before if service not in done]
    if left != before and not module.check_mode:
        marker.write(left)
    module.exit_json(changed=left != before, services=left)


if __name__ == "__main__":
    main()
