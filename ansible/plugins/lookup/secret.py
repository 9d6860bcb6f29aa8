# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: A value of a vault
version_added: 0.1.0
description:
  - Gives the values of variables that C(dotage.yaml) declares, one for each name.
  - A lookup is evaluated each time that it is used, and each time opens the vault anew. For a whole file,
    M(dotage.secrets.env_file) is faster, and keeps the values out of Ansible altogether.
  - A value is never taken for a template, whatever it looks like.
extends_documentation_fragment:
  - dotage.secrets.project.plugin
options:
  _terms:
    description: The names.
    type: list
    elements: str
    required: true
  missing:
    description: What to do with a name that has no value.
    type: str
    choices:
      error: Fail, and say the name.
      empty: Give an empty text.
      skip: Give nothing.
    default: error
seealso:
  - plugin: dotage.secrets.secrets
    plugin_type: lookup
author:
  - the dotage project (@dotage)
"""

EXAMPLES = r"""
- name: Hand a password to a module that hides it
  community.postgresql.postgresql_user:
    name: freeboard
    password: "{{ lookup('dotage.secrets.secret', 'POSTGRES_PASSWORD', profile='production') }}"
"""

RETURN = r"""
_raw:
  description: The values, in the order of the names.
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.dotage.secrets.plugins.plugin_utils._dotage import Dotage, settings


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(direct=kwargs)
        options = settings(kwargs, variables, self._templar)
        values = Dotage(options, self._loader.get_basedir()).values(terms)
        missing = self.get_option("missing")
        found = []
        for name in terms:
            if name in values:
                found.append(values[name])
            elif missing == "error":
                raise AnsibleLookupError("%s has no value in profile %s" % (name, options["profile"] or "(the default one)"))
            elif missing == "empty":
                found.append("")
        return found
