"""Asks the real direnv (the argument is its binary): `direnv dotenv json FILE`.

JSON can't hold bytes that aren't UTF-8, so a file of such bytes is asked for as bash's text, and bash says what it means.
"""
import json
import subprocess
import sys
import tempfile

from answer import each

home = tempfile.TemporaryDirectory()
ENVIRONMENT = {"HOME": home.name}


def dotenv(form, path):
    done = subprocess.run([sys.argv[1], "dotenv", form, path], env=ENVIRONMENT, capture_output=True, timeout=60)
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    return done.stdout


def read(path):
    with open(path, "rb") as file:
        text = file.read()
    try:
        text.decode()
        return {name: value for name, value in json.loads(dotenv("json", path)).items() if value is not None}
    except UnicodeDecodeError:
        said = subprocess.run(
            ["/bin/bash", "-c", 'eval "$1"; exec /usr/bin/env -0', "bash", dotenv("bash", path)],
            env={}, capture_output=True, check=True,
        ).stdout
        own = (b"PWD", b"SHLVL", b"_")
        entries = (entry.split(b"=", 1) for entry in said.split(b"\0") if entry)
        return {name: value for name, value in entries if name not in own}


each(read)
