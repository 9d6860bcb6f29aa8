"""Asks the real docker CLI (the argument is its binary), which sends what it read to a stand-in of the engine.

The stand-in listens on a unix socket, answers a ping, and echoes nothing but the `Env` of the create body. The files of
one question go into one command, in order, with a file of one separating assignment after each.
"""
import http.server
import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading

from answer import together

SEPARATOR = "DOTAGE_END_OF_FILE=1"
folder = tempfile.TemporaryDirectory()
socket = os.path.join(folder.name, "engine.sock")
separator = os.path.join(folder.name, "separator.env")
with open(separator, "w") as file:
    file.write(SEPARATOR + "\n")
created = []


class StandIn(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("API-Version", "1.43")
        self.send_header("OSType", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.answer(200, b"")

    def do_GET(self):
        self.answer(200, b"OK")

    def do_POST(self):
        created.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(201, b'{"Id": "none", "Warnings": []}')

    def address_string(self):
        return "cli"

    def log_message(self, *_):
        pass


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


threading.Thread(target=Engine(socket, StandIn).serve_forever, daemon=True).start()


def read(paths):
    created.clear()
    files = [argument for path in paths for argument in ("--env-file", path, "--env-file", separator)]
    done = subprocess.run(
        [sys.argv[1], "create", *files, "none"],
        env={"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": folder.name, "HOME": folder.name},
        capture_output=True, timeout=60,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    read = [{}]
    for entry in created[0]["Env"]:
        if entry == SEPARATOR:
            read.append({})
        else:
            name, _, value = entry.partition("=")
            read[-1][name] = value
    if len(read) != len(paths) + 1:
        raise AssertionError("the separators went missing")
    return read[:-1]


together(read)
