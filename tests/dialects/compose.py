"""Asks Docker Compose what it reads: `compose.py BINARY env_file|raw|project`.

- `env_file`: a project of many services, each with a file as its `env_file`.
- `raw`: the same with `format: raw`, which has the rules of `docker run --env-file`.
- `project`: a project for each file, which is its `.env`; each name that a line begins with is interpolated.

`config` needs no engine. It shows `$` as `$$`, and what isn't UTF-8 as `!!binary`.
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


def environments(folder, services):
    """What `config` makes of these services: the environment of each."""
    project = os.path.join(folder, "compose.yaml")
    with open(project, "w") as file:
        json.dump({"services": {name: {"image": "none", **rest} for name, rest in services.items()}}, file)
    done = subprocess.run(
        [binary, "-f", project, "config"],
        env={"LC_ALL": "C.UTF-8", "HOME": folder}, cwd=folder, capture_output=True, timeout=300,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    config = yaml.load(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["services"]
    return [
        {key: plain(value) for key, value in (config[name].get("environment") or {}).items() if value is not None}
        for name in services
    ]


def plain(value):
    return value.replace(b"$$", b"$") if isinstance(value, bytes) else str(value).replace("$$", "$")


def env_files(paths):
    with tempfile.TemporaryDirectory() as folder:
        form = (lambda path: [{"path": path, "format": "raw"}]) if way == "raw" else (lambda path: path)
        return environments(folder, {f"s{i}": {"env_file": form(path)} for i, path in enumerate(paths)})


def project(path):
    with open(path, "rb") as file:
        names = re.findall(rb"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)", file.read(), re.MULTILINE)
    asked = {name.decode(): f"${{{name.decode()}-{UNSET}}}" for name in names}
    [read] = environments(os.path.dirname(path), {"s": {"environment": asked}})
    return {name: value for name, value in read.items() if value not in (UNSET, UNSET.encode())}


if way == "project":
    each(project)
else:
    together(env_files)
