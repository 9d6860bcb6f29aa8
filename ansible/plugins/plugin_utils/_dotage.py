# -*- coding: utf-8 -*-
# Copyright (c) The dotage project
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the binary: the one file of the collection that does.

Values go in by stdin and come out by stdout, never by an argument, an environment variable or a file. Nobody is asked for
anything: a worker of Ansible has no terminal.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader

from ansible_collections.dotage.secrets.plugins.module_utils._options import PROJECT

# What this collection asks of the binary.
OLDEST = (0, 1, 0)

OPTIONS = tuple(PROJECT)


class Hidden(str):
    """Text that no debug output shows: Ansible prints a module's arguments by their repr()."""

    def __repr__(self):
        return "'<hidden>'"


def configured():
    """The plugin whose documentation says where each option comes from: option, variable, environment, ansible.cfg."""
    return lookup_loader.get("dotage.secrets.secret")


def settings(given, variables, templar=None):
    """The options of OPTIONS for an action or a plugin without a configuration of its own.

    A host can send facts of any name, and they become variables. It must not say what runs here.
    """
    variables = variables or {}
    facts = variables.get("ansible_facts") or {}
    known = {}
    for option in OPTIONS:
        name = "dotage_" + option
        if name in variables and name not in facts:
            value = variables[name]
            known[name] = templar.template(value) if templar else value
    lookup = configured()
    if lookup is None:
        raise AnsibleError("the collection dotage.secrets is not installed whole: its lookup plugin `secret` is missing")
    lookup.set_options(var_options=known, direct={option: given[option] for option in OPTIONS if given.get(option) is not None})
    return {option: lookup.get_option(option) for option in OPTIONS}


def find(binary=None, beside=None):
    """The path of the binary: the one that is said, the wheel's beside ansible, or PATH's."""
    if binary:
        if os.sep in binary or binary.startswith("~"):
            path = os.path.abspath(os.path.join(beside or ".", os.path.expanduser(os.path.expandvars(binary))))
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return path
            raise AnsibleError("there is no dotage binary at %s (option binary, variable dotage_binary, DOTAGE_BINARY)" % path)
        path = shutil.which(binary)
        if path:
            return path
        raise AnsibleError("there is no %s in PATH (option binary, variable dotage_binary, DOTAGE_BINARY)" % binary)
    wheel = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "dotage")
    if os.access(wheel, os.X_OK) and os.path.isfile(wheel):
        return wheel
    path = shutil.which("dotage")
    if path:
        return path
    raise AnsibleError(
        "the dotage binary was not found on the control node: not beside %s, not in PATH. "
        "Install it with `pip install dotage` beside ansible-core, or say where it is: option binary, "
        "variable dotage_binary, DOTAGE_BINARY" % sys.executable
    )


class Dotage:
    """The binary, with the project and the identities that it works with."""

    def __init__(self, options, basedir=None):
        self.options = options
        self.basedir = basedir or os.getcwd()
        self.path = find(options.get("binary"), self.basedir)

    def environment(self):
        environment = dict(os.environ, DOTAGE_NON_INTERACTIVE="1")
        # The project and the profile go by arguments.
        for name in ("DOTAGE_DIRECTORY", "DOTAGE_PROFILE"):
            environment.pop(name, None)
        file = self.options.get("identity_file")
        command = self.options.get("identity_command")
        if file != os.environ.get("DOTAGE_IDENTITY_FILE") or command != os.environ.get("DOTAGE_IDENTITY_COMMAND"):
            # Said otherwise than by the environment: then it is all that is said.
            environment.pop("DOTAGE_IDENTITY", None)
        for name, value in (("DOTAGE_IDENTITY_FILE", file and self._path(file, "DOTAGE_IDENTITY_FILE")), ("DOTAGE_IDENTITY_COMMAND", command)):
            environment.pop(name, None)
            if value:
                environment[name] = value
        return environment

    def _path(self, path, variable=None):
        """A path as it was meant: beside the playbook, or where Ansible was started if the environment says it."""
        here = os.getcwd() if variable and os.environ.get(variable) == path else self.basedir
        return os.path.abspath(os.path.join(here, os.path.expanduser(path)))

    def run(self, verb, arguments=(), names=(), stdin=b"", project=True, allowed=(0,)):
        """The exit code and what it wrote to stdout and stderr. Its messages hold no value. Of `names` none is an option."""
        command = [self.path]
        if project:
            command += ["-C", self._path(self.options.get("project") or ".", "DOTAGE_DIRECTORY")]
        command += [verb, *arguments]
        if project and self.options.get("profile"):
            command += ["--profile", self.options["profile"]]
        if names:
            command += ["--", *names]
        try:
            done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(), check=False)
        except OSError as error:
            raise AnsibleError("cannot start %s: %s" % (self.path, os.strerror(error.errno or 0)))
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode in allowed:
            return done.returncode, done.stdout, said
        if done.returncode == 2:
            self._judge(self._version())
        raise AnsibleError("dotage %s: %s" % (verb, said or "it ended with exit code %d" % done.returncode))

    def json(self, verb, arguments=(), names=(), stdin=b"", project=True, allowed=(0,)):
        """What it wrote to stdout, read as JSON, and the exit code."""
        code, out, _said = self.run(verb, arguments, names, stdin, project, allowed)
        try:
            return json.loads(out), code
        except ValueError:
            pass  # The error would quote the text, and with it values.
        self._judge(self._version())
        raise AnsibleError("%s %s wrote something that is not JSON" % (self.path, verb))

    def _version(self):
        try:
            done = subprocess.run([self.path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        except OSError as error:
            raise AnsibleError("cannot start %s: %s" % (self.path, os.strerror(error.errno or 0)))
        found = re.match(r"dotage (\S+)", done.stdout.decode("utf-8", "replace"))
        if not found:
            raise AnsibleError("%s is some other program, not dotage" % self.path)
        return found.group(1)

    def _judge(self, version):
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
        if numbers < OLDEST:
            raise AnsibleError(
                "%s is dotage %s; this collection needs %s or newer: pip install --upgrade dotage" % (self.path, version, ".".join(map(str, OLDEST)))
            )

    def render(self, target=None, template=None, service=None, dialect=(), data=None):
        """A rendered target: what `dotage render --stdout --json` says, its files' bytes in base64."""
        arguments = ["--stdout", "--json"]
        for option, value in (("--template", template), ("--service", service), ("--dialect", ",".join(dialect))):
            if value:
                arguments += [option, value]
        stdin = b""
        if data:
            arguments += ["--vars", "-"]
            stdin = json.dumps(data, default=str).encode()
        made, _code = self.json("render", arguments, [target] if target else [], stdin)
        self._judge(str(made.get("version", "0")))
        return made

    def values(self, names=(), service=None, vault=None):
        """Values by name; a name that has none is not in it."""
        arguments = ["--json"]
        if service:
            arguments += ["--service", service]
        if vault:
            return self.json("get", [*arguments, "--vault", self._path(vault)], project=False)[0]
        return self.json("get", arguments, names)[0]

    def list(self, service=None):
        """The variables and whether each has a value: what `dotage list --json` says."""
        return self.json("list", ["--json", *(["--service", service] if service else [])])[0]

    def convert(self, text, source, target):
        """The assignments of one consumer's file, written for another."""
        return self.run("convert", ["--from", source, "--to", target], stdin=text, project=False)[1]


def decoded(file):
    """The bytes of one of the files of a rendered target."""
    return base64.b64decode(file["base64"])
