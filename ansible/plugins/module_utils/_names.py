# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names two versions of a file assign differently, without showing a value.

The binary, which knows how each consumer reads, is not on the host. So the same small reader looks at both versions: if it
finds in the new one exactly the names that the binary found there, and stumbles over no line of the old one, its answer is
taken. If not, every name counts as altered, and a line that goes away is not called by a name that may be part of a value.
"""

from __future__ import annotations

import json
import re

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_HEREDOC = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)<<(.+)")
_SCALAR = re.compile(r"([ ]*)((?:-[ ]+)*)([A-Za-z0-9_.\-/]+):(?:[ ]+(\S.*))?")
_ITEM = re.compile(r"([ ]*)-[ ]+(\S.*)")

# What these read has no quotes: a line is an assignment.
_RAW = ("docker", "kubernetes")


class _Unclear(Exception):
    pass


def _closed(value):
    """Whether a value's quote, if it opens one, is closed at its end."""
    quote = value[:1]
    if quote not in ("'", '"', "`"):
        if any(mark in value for mark in "'\"`"):
            raise _Unclear
        return True
    return re.search(r"[^\\]%s[ \t]*(?:#.*)?$" % quote, value[1:] and " " + value[1:]) is not None


def _piece(name, value):
    """Whether what stands where a name does may be a piece of a value: a line of something in base64."""
    mixed = name.upper() != name and name.lower() != name
    return mixed and (len(name) > 15 or not value.strip("= \t\r"))


def _lines(text, dialect, known):
    entries = []
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if dialect == "github":
            heredoc = _HEREDOC.match(line)
            if heredoc:
                value = []
                while lines and lines[0] != heredoc.group(2):
                    value.append(lines.pop(0))
                if not lines:
                    raise _Unclear
                lines.pop(0)
                entries.append((heredoc.group(1), "\n".join(value)))
                continue
        found = _ASSIGNMENT.fullmatch(line)
        if not found:
            raise _Unclear
        name, value = found.groups()
        if name not in known and _piece(name, value):
            raise _Unclear
        if dialect not in _RAW and dialect != "github":
            while not _closed(value):
                if not lines:
                    raise _Unclear
                value += "\n" + lines.pop(0)
        entries.append((name, value))
    return entries


def _yaml(text):
    """A document of one-line scalars, which is how the binary writes them; each by its path."""
    entries, path, counts = [], [], {}
    for line in text.split("\n"):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        found = _SCALAR.fullmatch(line)
        item = None if found else _ITEM.fullmatch(line)
        if not found and not item:
            raise _Unclear
        indent = len(found.group(1)) if found else len(item.group(1))
        dashes = found.group(2) if found else "- "
        while path and path[-1][0] >= indent + (0 if not dashes else 1):
            path.pop()
        if dashes:
            while path and path[-1][0] > indent:
                path.pop()
            where = (tuple(key for _at, key in path), indent)
            if path and path[-1][0] == indent and path[-1][1].isdigit():
                path.pop()
                where = (tuple(key for _at, key in path), indent)
            counts[where] = counts.get(where, -1) + 1
            path.append((indent, str(counts[where])))
            indent += len(dashes)
        if item:
            entries.append((".".join(key for _at, key in path), item.group(2)))
            continue
        key, value = found.group(3), found.group(4)
        if value is None:
            path.append((indent, key))
        elif value[0] in "|>&*{[!":
            raise _Unclear
        else:
            entries.append((".".join([key for _at, key in path] + [key]), value))
    return entries


def _scalars(value, path):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _scalars(member, path + [str(key)])
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _scalars(member, path + [str(index)])
    else:
        yield ".".join(path), value


def _read(data, dialect, known=()):
    try:
        text = data.decode("utf-8")
        if dialect == "json":
            return dict(_scalars(json.loads(text), []))
        return dict(_yaml(text) if dialect == "yaml" else _lines(text, dialect, known))
    except (ValueError, _Unclear):
        return None


class Change:
    """The names that a new version adds, removes and alters, sorted."""

    def __init__(self, added=(), removed=(), altered=()):
        self.added = sorted(added)
        self.removed = sorted(removed)
        self.altered = sorted(altered)

    def all(self):
        return sorted(set(self.added) | set(self.removed) | set(self.altered))


def compare(old, new, names, dialect, declared=()):
    """What changes from `old` (None: there is no file) to `new` (None: it goes away), whose names are `names`."""
    if old == new:
        return Change()
    before = {} if old is None else _read(old, dialect, set(names) | set(declared))
    if new is None:
        known = set(before or ())
        return Change(removed=known if before is not None else known & set(declared))
    if old is None:
        return Change(added=names)
    after = _read(new, dialect, names)
    if before is None or after is None or set(after) != set(names):
        return Change(altered=names)
    return Change(
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        altered=[name for name in after if name in before and before[name] != after[name]],
    )


def concerned(change, users):
    """The services that use a changed name. One that nobody is said to use concerns every service of the file."""
    everybody = {service for services in users.values() for service in services}
    services = set()
    for name in change.all():
        # In a document the name is a path, and its last part the variable's.
        own = users.get(name, users.get(name.rsplit(".", 1)[-1]))
        services |= everybody if own is None else set(own)
    return services


def lines(change):
    """The two sides of a diff: names, and what becomes of their values."""
    before, after = [], []
    for name in change.all():
        if name in change.removed:
            before.append("%s=<hidden>" % name)
        elif name in change.added:
            after.append("%s=<hidden>" % name)
        else:
            before.append("%s=<old value>" % name)
            after.append("%s=<new value>" % name)
    return "".join(line + "\n" for line in before), "".join(line + "\n" for line in after)
