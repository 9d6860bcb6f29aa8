# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a file in place whole or not at all, at no moment open to anybody it is not for.

AnsibleModule.atomic_move renames first and sets the mode afterwards, with 0644 in between. Here a file of mode 0600 beside
the destination gets its bytes, then its owner, group, context and mode, and only then the destination's name.
A run that is killed leaves at most that file; the next run for the same destination sweeps it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
import tempfile


def _beside(path):
    return ".%s.dotage-" % os.path.basename(path).lstrip(".")


def sweep(path):
    """Removes what killed runs left beside a file. One that another run holds stays."""
    folder = os.path.dirname(path) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(_beside(path)):
            left = os.path.join(folder, name)
            try:
                # Whatever somebody may have put there: a link is not followed, and a pipe not waited for.
                descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(left)
            except OSError:
                continue
            finally:
                os.close(descriptor)


def replace(module, path, data, mode, validate=None, before=None):
    """Puts `data` at `path`. `before` is called when nothing but the rename is left to do."""
    sweep(path)
    folder = os.path.dirname(path) or "."
    try:
        old = os.stat(path)
    except OSError:
        old = None
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=_beside(path), dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if module.selinux_enabled():
                context = module.selinux_context(path) if old else module.selinux_default_context(path)
                module.set_context_if_different(temporary, context, False)
            if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                try:
                    os.chown(temporary, old.st_uid, old.st_gid)
                except OSError as error:
                    # Somebody who may not give files away keeps the file for himself.
                    if error.errno != errno.EPERM:
                        raise
            arguments = module.load_file_common_arguments(dict(module.params, mode=mode, attributes=None, follow=False), path=temporary)
            module.set_fs_attributes_if_different(arguments, False)
            if validate:
                _validate(module, validate, temporary)
            if before:
                before()
            try:
                os.replace(temporary, path)
            except OSError as error:
                if error.errno != errno.EBUSY or not module.params["unsafe_writes"]:
                    raise
                with open(path, "r+b") as mounted:
                    mounted.write(data)
                    mounted.truncate()
                os.unlink(temporary)
            temporary = None
        _sync(folder)
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s" % (path, os.strerror(error.errno or 0)))
    finally:
        if temporary:
            try:
                os.unlink(temporary)
            except OSError:
                pass


def _sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _validate(module, command, path):
    """The validator's words may quote the file: only how it ended is told."""
    program = shlex.split(command)[:1]
    code, _out, _err = module.run_command(command % path)
    if code != 0:
        # fail_json leaves by SystemExit, and the caller removes its file.
        module.fail_json(
            msg="validate: %s refused the new file with exit status %d; the old one is as it was, and its words are hidden, as they may quote values"
            % (program[0] if program else "it", code)
        )


def remove(module, path):
    """Takes the file away."""
    sweep(path)
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            module.fail_json(msg="%s is a folder" % path)
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            module.fail_json(msg="%s cannot be removed: %s" % (path, os.strerror(error.errno)))
