"""A project of canary values, a home of its own, and ansible-playbook of one ansible-core in front of it."""

import base64
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSUMERS = ROOT / "target/consumers/ansible"
DOTAGE = os.environ["DOTAGE"]
PYTHON = "/usr/bin/python3"

# What consumers, templates and shells trip over. Each gets a canary of its own.
HOSTILE = {
    "PLAIN": "%s",
    "BRACES": "{{ lookup('pipe', 'touch EVALUATED') }}%s",
    "TAG": "{%% raw %%}{# no comment #}%s",
    "DOLLAR": "$HOME ${HOME} $(touch EVALUATED) `touch EVALUATED` %s",
    "QUOTES": "it's a \"%s\" \\ `x`",
    "HASH": "a # b#%s",
    "LINES": "-----BEGIN KEY-----\n%s==\nA=b\n-----END KEY-----\n",
    "RETURN": "%s\r\nx",
    "UNICODE": "größer 日本 \U0001f600 %s",
    "SPACES": "  %s  ",
}

INVENTORY = """
profiles:
  production: {{ vault: vault/production.age, contract: lenient }}
services:
  api:
  worker:
  gateway:
variables:
{variables}
  BINARY: {{ purpose: bytes, used_by: [gateway], base64: true, required: false }}
  WEAK: {{ purpose: one of no value, used_by: [gateway], required: false }}
targets:
  env: {{ template: templates/all.compose.env.j2, to: .env }}
  worker: {{ template: templates/worker.compose.env.j2, to: worker.env }}
  folder: {{ folder: true, to: secrets/, service: api }}
  manifest: {{ template: templates/manifest.yaml.j2, to: manifest.yaml, mode: "0640" }}
"""


def forms(value):
    """What a value looks like on its way: plain, in base64 at any offset, in hexadecimal."""
    data = value.encode()
    found = {value, data.hex()}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        found.add(coded[(0, 2, 3)[before] : -1])
    return found


class Scene:
    def __init__(self, core):
        self.core = core
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dotage-ansible-"))
        self.folder.chmod(0o755)
        self.bin = CONSUMERS / core / "bin"
        for name in ("home", "tmp", "bin", "project/templates", "project/vault", "host", "facts", "play"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "host").chmod(0o777)
        self.host = self.folder / "host"
        self.project = self.folder / "project"
        self.play = self.folder / "play"
        collections = self.folder / "collections/ansible_collections/dotage"
        collections.mkdir(parents=True)
        shutil.copytree(ROOT / "ansible", collections / "secrets")
        self.spawned = self.folder / "spawned"
        self.program("dotage", 'echo "$*" >> %s\nexec %s "$@"' % (self.spawned, DOTAGE))
        self.environment = {
            "PATH": "%s:/usr/sbin:/usr/bin:/sbin:/bin" % (self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_DEPRECATION_WARNINGS": "1",
            "ANSIBLE_LOG_PATH": str(self.folder / "log"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp/remote"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp/local"),
        }
        self.values = {name: text % ("canary" + secrets.token_hex(12)) for name, text in HOSTILE.items()}
        self.needles = {}
        self._project()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_rest):
        if kind is None:
            shutil.rmtree(self.folder)
        else:
            print("the scene is left at %s" % self.folder)

    def program(self, name, script):
        path = self.folder / "bin" / name
        path.write_text("#!/bin/sh\n%s\n" % script)
        path.chmod(0o755)
        return path

    def dotage(self, *arguments, stdin=b""):
        done = subprocess.run([DOTAGE, *arguments], cwd=self.project, env=self.environment, input=stdin, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _project(self):
        users = {"PLAIN": "[api, worker]", "BRACES": "[worker]"}
        lines = ["  %s: { purpose: a hostile text, used_by: %s }" % (name, users.get(name, "[api]")) for name in self.values]
        (self.project / "dotage.yaml").write_text(INVENTORY.format(variables="\n".join(lines)))
        every = "".join("%s={{ %s }}\n" % (name, name) for name in self.values)
        (self.project / "templates/all.compose.env.j2").write_text("# what api and worker read\n" + every)
        (self.project / "templates/worker.compose.env.j2").write_text("PLAIN={{ PLAIN }}\nBRACES={{ BRACES }}\nHOST={{ vars.host }}\n")
        (self.project / "templates/manifest.yaml.j2").write_text(
            "stringData:\n{% for variable in variables %}\n  {{ variable.name }}: {{ variable.value }}\n{% endfor %}\n"
        )
        key = self.folder / "home/.config/dotage/identity.txt"
        key.parent.mkdir(parents=True)
        self.dotage("keygen", "-o", str(key))
        public = re.search("age1[0-9a-z]+", key.read_text()).group()
        (self.project / "vault/.age-recipients").write_text(public + "\n")
        for name, value in self.values.items():
            self.set(name, value)

    def set(self, name, value):
        self.dotage("set", name, "--verbatim", stdin=value.encode())
        self.values[name] = value
        self.watch(value)

    def watch(self, value):
        """From now on no output may show what is the canary in it."""
        for canary in re.findall("canary[0-9a-z]+", value):
            self.needles[canary] = forms(canary)

    def fresh(self, name):
        """Another value of the same shape."""
        return HOSTILE[name] % ("canary" + secrets.token_hex(12))

    def playbook(self, tasks, *arguments, fails=False, hosts=("h1",), more="", python=PYTHON, environment=(), vars=()):
        """Runs tasks on hosts that are this machine, by name or with variables of their own; what was said. Warnings are faults."""
        path = self.play / "play.yml"
        if not tasks.lstrip().startswith(("- hosts", "- import_playbook")):
            tasks = "- hosts: all\n  gather_facts: false\n%s  tasks:\n%s" % (more, indent(tasks, 4))
        path.write_text(tasks)
        self.spawned.write_text("")
        everything = dict({"ansible_connection": "local", "ansible_python_interpreter": str(python), "dotage_project": str(self.project), "out": str(self.host)}, **dict(vars))
        inventory = self.play / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": dict.fromkeys(hosts, {}) if isinstance(hosts, (tuple, list)) else hosts, "vars": everything}}))
        command = [self.bin / "ansible-playbook", "-i", inventory, path, *arguments]
        done = subprocess.run(command, cwd=self.play, env=dict(self.environment, **dict(environment)), capture_output=True)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert (done.returncode != 0) == fails, said[-6000:]
        assert "Traceback" not in said and "unexpected exception" not in said.lower(), said[-6000:]
        return said

    def spawns(self):
        return self.spawned.read_text().splitlines()

    def leaks(self, text):
        return sorted(canary for canary, looks in self.needles.items() if any(form in text for form in looks))

    def files_with_canaries(self, *but):
        """The files under the scene that hold a canary, but for the project's identity and those that are named."""
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and not any(path == other or other in path.parents for other in but):
                text = path.read_bytes().decode("utf-8", "replace")
                if self.leaks(text):
                    found.append(path)
        return found


def indent(text, by):
    return "".join(" " * by + line if line.strip() else line for line in text.splitlines(True))


def results(said):
    """The `msg` of debug tasks that show JSON between « and »."""
    return [json.loads(json.loads('"%s"' % found)) for found in re.findall(r"«(.*?)»", said)]
