"""Asks Docker Compose 1, by the Python that it is made of: `compose-1.py env_file|project`, under Debian's own Python.

- `env_file`: a project of one service, with the file as its `env_file`.
- `project`: a project whose `.env` is the file; each name that a line begins with is interpolated.

Not `docker-compose config`: the YAML that it prints holds a U+0085 in a form that reads as a line feed.
"""
import json
import logging
import os
import re
import sys

from answer import each
from compose.config import config
from compose.config.environment import Environment

UNSET = "no file sets it"
os.environ.clear()


class Complaint(logging.Handler):
    """Turns a warning ("could not parse statement") into a failure."""

    def emit(self, record):
        raise ValueError(record.getMessage())


logging.getLogger("dotenv.main").addHandler(Complaint())


def environment(folder, service, of_project):
    project = os.path.join(folder, "compose.json")
    with open(project, "w") as file:
        json.dump({"version": "3", "services": {"s": {"image": "none", **service}}}, file)
    found = config.find(folder, [project], of_project)
    return config.load(found).services[0].get("environment") or {}


def env_file(path):
    read = environment(os.path.dirname(path), {"env_file": path}, Environment())
    return {name: value for name, value in read.items() if value is not None}


def project(path):
    with open(path, "rb") as file:
        names = re.findall(rb"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)", file.read(), re.MULTILINE)
    asked = {name.decode(): f"${{{name.decode()}-{UNSET}}}" for name in names}
    folder = os.path.dirname(path)
    read = environment(folder, {"environment": asked}, Environment.from_env_file(folder))
    return {name: value for name, value in read.items() if value != UNSET}


each({"env_file": env_file, "project": project}[sys.argv[1]])
