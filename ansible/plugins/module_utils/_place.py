# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a destination, and what a run left to do there. What changes it is in _replace, which most runs do not need."""

from __future__ import annotations

import errno
import json
import os
import tempfile


def destination(module, path):
    """The file that is meant, a link followed or refused."""
    if os.path.islink(path):
        if not module.params["follow"]:
            module.fail_json(msg="%s is a symbolic link; name the file itself, or say follow: true" % path)
        path = os.path.realpath(path)
    if os.path.isdir(path):
        module.fail_json(msg="%s is a folder; name a file in it" % path)
    return path


def old_bytes(module, path):
    """The bytes that are there; None where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        module.fail_json(msg="%s cannot be read: %s" % (path, os.strerror(error.errno)))


def folder_is_there(module, path):
    """Whether the folder of a file is there. A check may run before the task that makes it."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(folder):
        return True
    hint = "the folder %s is not there; make it first with ansible.builtin.file" % folder
    if not module.check_mode:
        module.fail_json(msg=hint)
    module.warn(hint)
    return False


def attributes_differ(module, path, mode):
    """Whether owner, group, mode or context are not what they are to be; sets them, unless it is a check."""
    arguments = module.load_file_common_arguments(dict(module.params, mode=mode, attributes=None), path=path)
    return module.set_fs_attributes_if_different(arguments, False)


class Marker:
    """The services that are still to be recreated: a file of names beside the destination, which outlives a dead play."""

    def __init__(self, module, path):
        self.module = module
        self.path = os.path.join(os.path.dirname(path), ".%s.restart" % os.path.basename(path).lstrip("."))

    def read(self):
        try:
            with open(self.path, "r") as file:
                services = json.load(file)["services"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return sorted(service for service in services if isinstance(service, str))

    def write(self, services):
        services = sorted(services)
        if services == self.read():
            return
        try:
            if not services:
                os.unlink(self.path)
                return
            folder = os.path.dirname(self.path) or "."
            descriptor, temporary = tempfile.mkstemp(prefix=os.path.basename(self.path) + ".", dir=folder)
            with os.fdopen(descriptor, "w") as file:
                json.dump({"services": services}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            self.module.fail_json(msg="%s cannot be written: %s" % (self.path, os.strerror(error.errno or 0)))
