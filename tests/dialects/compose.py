"""Asks Docker Compose (the argument is its binary): a project of many services, each with an `env_file` of its own.

`config` needs no engine. It shows `$` as `$$`, and what isn't UTF-8 as `!!binary`.
"""
import os
import subprocess
import sys
import tempfile

import yaml

from answer import together

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(paths):
    with tempfile.TemporaryDirectory() as folder:
        project = os.path.join(folder, "compose.yaml")
        with open(project, "w") as file:
            file.write("version: '3'\nservices:\n")
            for i, path in enumerate(paths):
                file.write(f"  s{i}:\n    image: none\n    env_file: {path}\n")
        done = subprocess.run(
            [sys.argv[1], "-f", project, "config"],
            env={"LC_ALL": "C.UTF-8", "HOME": folder}, cwd=folder, capture_output=True, timeout=300,
        )
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    services = yaml.load(done.stdout, Loader=Loader)["services"]

    def plain(value):
        return value.replace(b"$$", b"$") if isinstance(value, bytes) else str(value).replace("$$", "$")

    return [
        {name: plain(value) for name, value in (services[f"s{i}"].get("environment") or {}).items() if value is not None}
        for i in range(len(paths))
    ]


together(read)
