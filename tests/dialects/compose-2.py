"""Asks Docker Compose 2 what it reads: `compose-2.py BINARY env_file|raw|project`.

- `env_file`: a project of many services, each with a file as its `env_file`.
- `raw`: the same with `format: raw`, which has the rules of `docker run --env-file`.
- `project`: a project for each file, which is its `.env`; each name that a line begins with is interpolated.

`config` needs no engine. It shows `$` as `$$`; in YAML, what isn't UTF-8 as `!!binary`.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

from answer import each, together

binary, way = sys.argv[1:]
UNSET = "no file sets it"


class Loader(yaml.BaseLoader):
    """Every plain scalar is a string, and `!!binary` is bytes."""


Loader.add_constructor("tag:yaml.org,2002:binary", yaml.constructor.SafeConstructor.construct_yaml_binary)


def environments(folder, services, form):
    """What `config` makes of these services: the environment of each."""
    project = os.path.join(folder, "compose.yaml")
    with open(project, "w") as file:
        json.dump({"services": {name: {"image": "none", **rest} for name, rest in services.items()}}, file)
    done = subprocess.run(
        [binary, "-f", project, "config", "--format", form],
        env={"HOME": folder}, cwd=folder, capture_output=True, timeout=300,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    config = (json.loads(done.stdout) if form == "json" else yaml.load(done.stdout, Loader=Loader))["services"]
    return [
        {key: plain(value) for key, value in (config[name].get("environment") or {}).items() if value is not None}
        for name in services
    ]


def plain(value):
    # The dollars are doubled in the text that is printed, so those inside of base64 are not.
    return value if isinstance(value, bytes) else value.replace("$$", "$")


def form_for(paths):
    """JSON, but for bytes that JSON can't hold."""
    for path in paths:
        with open(path, "rb") as file:
            try:
                file.read().decode()
            except UnicodeDecodeError:
                return "yaml"
    return "json"


def env_files(paths):
    with tempfile.TemporaryDirectory() as folder:
        entry = {"format": "raw"} if way == "raw" else {}
        services = {f"s{i}": {"env_file": [{"path": path, **entry}]} for i, path in enumerate(paths)}
        return environments(folder, services, form_for(paths))


def project(path):
    with open(path, "rb") as file:
        names = re.findall(rb"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)", file.read(), re.MULTILINE)
    asked = {name.decode(): f"${{{name.decode()}-{UNSET}}}" for name in names}
    [read] = environments(os.path.dirname(path), {"s": {"environment": asked}}, form_for([path]))
    return {name: value for name, value in read.items() if value not in (UNSET, UNSET.encode())}


if way == "project":
    each(project)
else:
    together(env_files)
