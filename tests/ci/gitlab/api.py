"""A stand-in for GitLab's API of project and group variables, for the tests: not GitLab, but it refuses what GitLab refuses.

Read off GitLab's models and API: what a name, a masked value and a hidden variable may be, names that are there for
several environments, pages, the answers to a token that may not. What went through it is written to a file before each
answer, values included.

    api.py STATE [CERTIFICATE KEY]      prints the port it listens on; with a certificate it speaks TLS

`POST /faults` with a list plans what goes wrong with the next requests: `{"status": 429, "retry_after": 1}`; with
`"after": true` the request is done first and only its answer is lost; null lets one through.
"""

import json
import os
import re
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKENS = {"glpat-maintainer-0123456789": "maintainer", "glpat-developer-01234567890": "developer"}
# What each can: hide variables (17.6 and newer), scopes (of a group: Premium), raw ones (15.7 and newer).
OWNERS = {
    ("projects", "group/app"): {"hides": True, "scopes": True},
    ("projects", "7"): {"hides": True, "scopes": True},
    ("projects", "group/old"): {"hides": False, "scopes": True},
    ("projects", "group/page"): {"hides": True, "scopes": True, "page": 2},
    ("groups", "team"): {"hides": True, "scopes": False},
    ("groups", "premium"): {"hides": True, "scopes": True},
}
STORE = {owner: [] for owner in OWNERS}
STORE[("projects", "7")] = STORE[("projects", "group/app")]
REQUESTS = []
FAULTS = []


LOCK = threading.Lock()


class Refused(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message


def checked(variable, before, others):
    """Refuses what the model does not take."""
    wrong = {}
    if not re.fullmatch(r"[a-zA-Z0-9_]{1,255}", variable["key"]):
        wrong["key"] = ["can contain only letters, digits and '_'."]
    if any((o["key"], o["environment_scope"]) == (variable["key"], variable["environment_scope"]) for o in others):
        wrong["key"] = [f"({variable['key']}) has already been taken"]
    if not re.fullmatch(r"[a-zA-Z0-9_./*{} -]{1,255}", variable["environment_scope"]):
        wrong["environment_scope"] = ["can contain only letters, digits, and some marks"]
    if len(variable["description"] or "") > 255:
        wrong["description"] = ["is too long (maximum is 255 characters)"]
    if variable["masked"]:
        # Ruby's \s is ASCII's, and \z allows no line feed before the end.
        allowed = r"\S{8,}" if variable["raw"] else r"[a-zA-Z0-9_+=/@:.~-]{8,}"
        if not re.fullmatch(allowed, variable["value"], re.ASCII):
            wrong["value"] = ["is invalid"]
    if before is None and variable["hidden"] and not variable["masked"]:
        wrong["masked"] = ["should be true when variable is hidden"]
    if before and before["hidden"] and before["masked"] != variable["masked"]:
        wrong["base"] = ["Updating masked attribute is not allowed on updates for hidden variables."]
    if wrong:
        raise Refused(400, wrong)
    return variable


def shown(variable, can):
    told = dict(variable)
    if told["hidden"]:
        told["value"] = None
    if not can["hides"]:
        del told["hidden"]
    return told


def note():
    text = json.dumps({
        "requests": REQUESTS,
        "variables": {"/".join(owner): store for owner, store in STORE.items()},
    })
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(text)
    os.rename(sys.argv[1] + ".new", sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=None, headers=()):
        # Who has the answer finds what it did in the file.
        note()
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_api(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        body = json.loads(text) if text else {}
        if url.path == "/faults":
            FAULTS[:] = body
            return self.answer(200)
        REQUESTS.append({"method": self.command, "path": self.path, "agent": self.headers.get("User-Agent"), "body": body})
        fault = FAULTS.pop(0) if FAULTS else None
        if fault and not fault.get("after"):
            headers = [("Retry-After", str(fault["retry_after"]))] if "retry_after" in fault else []
            headers += [("Location", fault["location"])] if "location" in fault else []
            if fault["status"] == 0:
                self.close_connection = True
                return note()
            # A message that quotes what was sent: nobody is to repeat it.
            return self.answer(fault["status"], {"message": json.dumps(body)}, headers)
        try:
            status, told, headers = self.do(url, body)
        except Refused as refused:
            status, told, headers = refused.status, {"message": refused.message}, []
        if fault:
            return self.answer(fault["status"])
        return self.answer(status, told, headers)

    def do(self, url, body):
        role = TOKENS.get(self.headers.get("PRIVATE-TOKEN"))
        if role is None:
            raise Refused(401, "401 Unauthorized")
        found = re.fullmatch(r"/api/v4/(projects|groups)/([^/]+)/variables(?:/([^/]+))?", url.path)
        owner = (found.group(1), unquote(found.group(2))) if found else None
        if owner not in OWNERS:
            raise Refused(404, "404 Not Found")
        if role != "maintainer":
            raise Refused(403, "403 Forbidden")
        can, store, query = OWNERS[owner], STORE[owner], parse_qs(url.query)
        key = found.group(3)
        if key is None and self.command == "GET":
            return self.page(can, store, query)
        if key is None and self.command == "POST":
            hidden = body.get("masked_and_hidden", False) and can["hides"]
            variable = {
                "key": body["key"].strip(),
                "value": body["value"],
                "variable_type": body.get("variable_type", "env_var"),
                "protected": body.get("protected", False),
                "masked": body.get("masked", False) or hidden,
                "hidden": hidden,
                "raw": body.get("raw", False),
                "environment_scope": body.get("environment_scope", "*") if can["scopes"] else "*",
                "description": body.get("description"),
            }
            store.append(checked(variable, None, store))
            return 201, shown(variable, can), []
        scope = query.get("filter[environment_scope]")
        named = [v for v in store if v["key"] == key and (scope is None or v["environment_scope"] == scope[0])]
        if not named:
            raise Refused(404, "404 Variable Not Found")
        if len(named) > 1:
            raise Refused(409, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'")
        old = named[0]
        if self.command == "DELETE":
            store.remove(old)
            return 204, None, []
        if self.command == "PUT":
            allowed = {"value", "variable_type", "protected", "masked", "raw", "environment_scope", "description"}
            new = {**old, **{k: v for k, v in body.items() if k in allowed}}
            if not can["scopes"]:
                new["environment_scope"] = "*"
            store[store.index(old)] = checked(new, old, [v for v in store if v is not old])
            return 200, shown(new, can), []
        return 200, shown(old, can), []

    def page(self, can, store, query):
        size = min(int(query.get("per_page", ["20"])[0]), can.get("page", 100), 100)
        page = int(query.get("page", ["1"])[0])
        part = store[(page - 1) * size : page * size]
        more = page * size < len(store)
        return 200, [shown(v, can) for v in part], [("X-Next-Page", str(page + 1) if more else ""), ("X-Page", str(page))]

    def any(self):
        with LOCK:
            self.handle_api()

    do_GET = do_POST = do_PUT = do_DELETE = any


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
