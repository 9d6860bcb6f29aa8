# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets
short_description: Several values of a vault, as a dictionary
version_added: 0.1.0
description:
  - Gives the values of the given names, of a service's variables, or of all, by name. A name that has no value is not in it.
  - A lookup is evaluated each time that it is used, and each time opens the vault anew.
  - A value is never taken for a template, whatever it looks like.
extends_documentation_fragment:
  - dotage.secrets.project.plugin
options:
  _terms:
    description: The names; by default all of O(service), or all that there are.
    type: list
    elements: str
    required: false
  service:
    description: The service whose variables are meant.
    type: str
seealso:
  - plugin: dotage.secrets.secret
    plugin_type: lookup
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: A service's variables for a module that takes a dictionary
  community.docker.docker_container:
    name: api
    image: freeboard/api
    env: "{{ lookup('dotage.secrets.secrets', service='api', profile='production') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: One dictionary, the values by name.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Dotage, settings


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(direct=kwargs)
        service = self.get_option("service")
        if terms and service:
            raise AnsibleLookupError("names and service exclude each other")
        options = settings(kwargs, variables, self._templar)
        return [Dotage(options, self._loader.get_basedir()).values(terms, service)]
