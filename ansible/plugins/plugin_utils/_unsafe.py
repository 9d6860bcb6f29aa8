# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that Ansible never takes for templates."""

from __future__ import annotations

try:
    # From ansible-core 2.19 on a text is a template only if somebody says that it is trusted.
    from ansible.template import trust_as_template as _trusting
except ImportError:
    _trusting = None


def unsafe(value):
    """The same value; below ansible-core 2.19 marked as what must not be evaluated."""
    if _trusting is not None:
        return value
    from ansible.utils.unsafe_proxy import wrap_var

    return wrap_var(value)
