"""The stories that tests/ansible.rs tells: `stories.py STORY CORE`. Each fails by an assertion."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time

from scene import DOTAGE, HOSTILE, PYTHON, ROOT, Scene, forms, indent, results

SHOW = """
- name: show {what}
  ansible.builtin.debug:
    msg: "«{{{{ {what} | to_json }}}}»"
"""


def show(what):
    return SHOW.format(what=what)


def mode(path):
    return "%04o" % stat.S_IMODE(os.lstat(path).st_mode)


EVERYTHING = """
- name: a file
  dotage.secrets.env_file: { target: env, dest: "{{ out }}/.env", restart_marker: true }
  register: file
- ansible.builtin.debug: { var: file }
- name: a file of a template, in a loop, with data
  dotage.secrets.env_file:
    template: templates/worker.compose.env.j2
    service: worker
    vars: { host: "{{ item }}" }
    dest: "{{ out }}/{{ item }}.env"
  loop: [one, two]
- name: a folder
  dotage.secrets.files: { target: folder, dest: "{{ out }}/secrets", purge: true }
- name: a manifest
  dotage.secrets.files: { target: manifest, dest: "{{ out }}/manifest.yaml" }
- name: a validator that quotes the file
  dotage.secrets.env_file: { target: env, dest: "{{ out }}/refused.env", validate: "sh -c 'cat %s; exit 1'" }
  register: refused
  ignore_errors: true
- ansible.builtin.debug: { var: refused }
- name: a value that the consumer cannot carry
  dotage.secrets.env_file: { template: templates/all.compose.env.j2, dialect: [docker], dest: "{{ out }}/never.env" }
  ignore_errors: true
- name: a folder that is not there
  dotage.secrets.env_file: { target: env, dest: "{{ out }}/nowhere/.env" }
  ignore_errors: true
- name: a command that quotes its environment
  dotage.secrets.command:
    argv: [sh, -c, 'env; printf %s "$PLAIN" | base64 -w0; printf %s "x$QUOTES" | base64 -w0; printf %s "$LINES" >&2; printf %s "$PLAIN" | od -An -tx1 | tr -d " \\\\n"; exit 3']
    service: api
  register: ran
  ignore_errors: true
- ansible.builtin.debug: { var: ran }
- name: another value
  dotage.secrets.vault_set: { name: WEAK, value: "{{ lookup('dotage.secrets.secret', 'PLAIN') }}{{ 999 | random }}" }
- name: no value
  dotage.secrets.vault_set: { name: WEAK, state: absent }
- name: values as a result
  dotage.secrets.load_vars: { into: result }
  register: loaded
- name: used by a module that hides it
  ansible.builtin.command: { argv: ["true", "{{ loaded.secrets.PLAIN }}", "{{ lookup('dotage.secrets.secret', 'BRACES') }}"] }
  no_log: true
  # Ansible's own modules show their arguments when it is debugged.
  when: not debugged
- name: what the vault holds
  dotage.secrets.vault_info: {}
  register: info
- ansible.builtin.debug: { var: info }
- name: the contract
  dotage.secrets.check: {}
  ignore_errors: true
- name: a name that is not declared
  dotage.secrets.env_file: { template: variables.compose.env.j2, service: nobody, dest: "{{ out }}/x" }
  ignore_errors: true
- name: a filter that fails
  ansible.builtin.debug: { msg: "{{ loaded.secrets | dotage.secrets.to_dotenv('docker') }}" }
  ignore_errors: true
- name: a wrong type
  dotage.secrets.vault_set: { name: WEAK, value: "{{ loaded.secrets.PLAIN }}", state: "elsewhere" }
  ignore_errors: true
- name: gone
  dotage.secrets.env_file: { target: env, dest: "{{ out }}/one.env", state: absent }
"""


def canaries(core):
    """No value in any output, log, cache or temporary file, whatever the verbosity."""
    with Scene(core) as scene:
        cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scene.folder / "facts")}
        searched = 0
        for number, (arguments, environment) in enumerate(
            [
                (["--check", "--diff"], {}),
                (["--diff"], {}),
                (["-vvv", "--diff"], {}),
                (["-vvvv", "--check", "--diff"], {"ANSIBLE_DEBUG": "1"}),
                (["-vvvv", "--diff"], {"ANSIBLE_DEBUG": "1"}),
            ]
        ):
            if number == 2:
                for name in ("PLAIN", "LINES"):
                    scene.set(name, scene.fresh(name))
            debugged = {"debugged": bool(environment)}
            said = scene.playbook(EVERYTHING, *arguments, environment=dict(cache, **environment), vars=debugged)
            assert "pipelining is off" not in said
            assert not scene.leaks(said), (arguments, environment, [line[:300] for line in said.splitlines() if scene.leaks(line)])
            assert said.count("...ignoring") == (4 if "--check" in arguments else 7), said[-5000:]
            searched += len(said)
        left = scene.files_with_canaries(scene.host)
        assert not left, left
        assert sorted(path.name for path in scene.host.iterdir()) == [".env", ".env.restart", "manifest.yaml", "secrets", "two.env"]
        for path in scene.host.rglob("*"):
            if path.is_file():
                assert mode(path) == ("0640" if path.name == "manifest.yaml" else "0600"), (path, mode(path))
        print("%d bytes of output searched for %d canaries in 5 forms" % (searched, len(scene.needles)))


def bytes_and_changes(core):
    """Hostile values arrive byte for byte; a second run changes nothing; each kind of change is told, alone."""
    with Scene(core) as scene:
        task = "- dotage.secrets.env_file: { target: env, dest: '{{ out }}/.env' %s }\n  register: made\n" + show("made")

        def run(more="", *arguments, name="env"):
            return results(scene.playbook((task % more).replace("target: env", "target: " + name), *arguments))[0]

        first = run()
        assert first["changed"] and first["added"] == sorted(HOSTILE) and first["services"] == ["api", "worker"], first
        path = scene.host / ".env"
        rendered = scene.dotage("render", "env", "--stdout")
        assert path.read_bytes() == rendered
        read = json.loads(subprocess.run([DOTAGE, "convert", "--from", "compose", "--to", "json"], input=rendered, capture_output=True, check=True).stdout)
        assert read == scene.values
        assert not run()["changed"]

        path.chmod(0o644)
        check = run("", "--check")
        assert check["changed"] and mode(path) == "0644"
        moded = run()
        assert moded["changed"] and not moded["altered"] and mode(path) == "0600", moded

        os.chown(path, 65534, 65534)
        assert not run()["changed"], "an owner that nobody named is nobody's fault"
        owned = run(", owner: root, group: root")
        assert owned["changed"] and not owned["altered"] and path.stat().st_uid == 0, owned

        for name, services in (("LINES", ["api"]), ("BRACES", ["worker"]), ("PLAIN", ["api", "worker"])):
            os.chown(path, 65534, 65534)
            scene.set(name, scene.fresh(name))
            check = run("", "--check", "--diff")
            assert check["changed"] and check["altered"] == [name] and path.read_bytes() == rendered, check
            content = run()
            rendered = scene.dotage("render", "env", "--stdout")
            assert content["changed"] and content["altered"] == [name] and content["services"] == services, content
            assert not content["added"] and not content["removed"] and path.read_bytes() == rendered
            assert (path.stat().st_uid, mode(path)) == (65534, "0600"), "the owner stays"

        # A line that nobody can be sure of: everything counts as altered, and no part of a value as a name.
        path.write_bytes(rendered + b"cana\nryline=\n")
        unclear = run()
        assert unclear["changed"] and unclear["altered"] == sorted(HOSTILE) and unclear["removed"] == [], unclear
        path.write_bytes(b"OLD=1\n" + rendered)
        assert run()["removed"] == ["OLD"]

        folder = "- dotage.secrets.files: { target: folder, dest: '{{ out }}/secrets', purge: true }\n  register: made\n" + show("made")
        made = results(scene.playbook(folder))[0]
        for file in (scene.host / "secrets").iterdir():
            assert file.read_bytes().decode() == scene.values[file.name.upper()] and mode(file) == "0600"
        assert made["changed"] and mode(scene.host / "secrets") == "0700"
        assert not results(scene.playbook(folder))[0]["changed"]
        (scene.host / "secrets/stranger").write_text("")
        made = results(scene.playbook(folder))[0]
        assert made["changed"] and made["removed"] == ["stranger"] and not (scene.host / "secrets/stranger").exists(), made

        # Bytes that are no text.
        scene.dotage("set", "BINARY", "--verbatim", stdin=b"\xff\0\xfe")
        (scene.project / "dotage.yaml").write_text((scene.project / "dotage.yaml").read_text().replace("service: api }", "service: gateway }"))
        scene.playbook(folder)
        assert [(file.name, file.read_bytes()) for file in (scene.host / "secrets").iterdir()] == [("binary", b"\xff\0\xfe")]

        # A link is followed only if that is said; a folder is no file.
        (scene.host / "link").symlink_to(path)
        said = scene.playbook((task % "").replace("/.env", "/link"), fails=True)
        assert "is a symbolic link" in said
        assert not results(scene.playbook((task % ", follow: true").replace("/.env", "/link")))[0]["changed"]
        assert "is a folder; name a file in it" in scene.playbook((task % "").replace("/.env", ""), fails=True)
        assert results(scene.playbook((task % "").replace("/.env", "/missing/.env"), "--check"))[0]["changed"]


def loose_moments(core):
    """strace sees no moment with group or other bits; a kill leaves at most a closed file, which the next run sweeps."""
    with Scene(core) as scene:
        trace = scene.folder / "trace"
        calls = "openat,open,creat,chmod,fchmod,fchmodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
        python = scene.program("python-traced", "exec strace -f -qq -s 4096 -e signal=none -o %s -e trace=%s %s \"$@\"" % (trace, calls, PYTHON))
        (scene.host / ".env").write_text("OLD=1\n")
        (scene.host / ".env").chmod(0o644)
        task = "- dotage.secrets.env_file: { target: env, dest: '{{ out }}/.env', restart_marker: true %s }\n"
        for more, modes in (("", ["0600"]), (", mode: '0640', group: nogroup", ["0640"])):
            scene.set("PLAIN", scene.fresh("PLAIN"))
            scene.playbook(task % more, python=python)
            lines = [line for line in trace.read_text().splitlines() if str(scene.host) in line]
            made = [line for line in lines if "O_CREAT" in line]
            assert made and all(re.search(r"O_EXCL.*, 0600\)", line) for line in made), made
            renames = [line for line in lines if re.search(r"\brename", line) and '/.env")' in line or '/.env", ' in line.split(" = ")[0] and "rename" in line]
            assert len(renames) == 1, renames
            after = lines[lines.index(renames[0]) + 1 :]
            assert not [line for line in after if re.search(r"chmod|O_WRONLY|O_RDWR", line)], after
            loosened = [line for line in lines if "chmod" in line and not re.search(r", 0(600|640)\)", line)]
            assert not loosened, loosened
            assert mode(scene.host / ".env") in modes
            trace.unlink()

        # Without pipelining the module goes by a file of its own, which is gone afterwards.
        scene.set("PLAIN", scene.fresh("PLAIN"))
        said = scene.playbook(task % "", environment={"ANSIBLE_PIPELINING": "0"})
        assert said.count("pipelining is off") == 1 and not scene.files_with_canaries(scene.host), said

        rendered = (scene.host / ".env").read_bytes()
        scene.set("PLAIN", scene.fresh("PLAIN"))
        os.chmod(scene.host / ".env", 0o600)
        for call in ("fsync", "flock", "rename"):
            killer = scene.program("python-killed", "exec strace -f -qq -o /dev/null -e trace=%s -e inject=%s:signal=KILL:when=1 %s \"$@\"" % (call, call, PYTHON))
            scene.playbook(task % "", python=killer, fails=True)
            assert (scene.host / ".env").read_bytes() == rendered
            left = scene.files_with_canaries(scene.host)
            assert not left, left
            for path in scene.host.iterdir():
                assert mode(path) == "0600", (path, mode(path))
        left = [path.name for path in scene.host.iterdir() if "dotage-" in path.name]
        assert left, "no kill came between"
        scene.playbook(task % "")
        names = sorted(path.name for path in scene.host.iterdir())
        assert names == [".env", ".env.restart"], names
        assert (scene.host / ".env").read_bytes() == scene.dotage("render", "env", "--stdout")


def unprivileged(core):
    """become_user without privileges and without acl: pipelining needs neither."""
    with Scene(core) as scene:
        for name in ("setfacl", "chacl"):
            scene.program(name, "echo called >> %s; exit 1" % (scene.folder / "acl-called"))
        home = scene.host / "nobody"
        home.mkdir()
        os.chown(home, 65534, 65534)
        tasks = "- dotage.secrets.env_file: { target: env, dest: '{{ out }}/nobody/.env' }\n- dotage.secrets.command: { argv: [sh, -c, 'id -un'], names: [PLAIN] }\n  register: made\n" + show("made.stdout")
        said = scene.playbook(tasks, more="  become: true\n  become_user: nobody\n")
        assert results(said) == ["nobody"], said
        path = home / ".env"
        assert path.stat().st_uid == 65534 and mode(path) == "0600" and path.read_bytes() == scene.dotage("render", "env", "--stdout")
        assert not (scene.folder / "acl-called").exists()
        assert not scene.files_with_canaries(scene.host)


def variables(core):
    """Values as variables: never evaluated, never facts, opened as often as said."""
    with Scene(core) as scene:
        cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scene.folder / "facts")}
        cache["ANSIBLE_VARS_ENABLED"] = "host_group_vars,dotage.secrets.vault"
        cache.update(DOTAGE_VARS_PROFILES="production", DOTAGE_DIRECTORY=str(scene.project))
        for folder in ("group_vars/production", "host_vars"):
            (scene.play / folder).mkdir(parents=True)
        (scene.play / "host_vars/h1.age").write_bytes((scene.project / "vault/production.age").read_bytes())
        (scene.play / "group_vars/production/more.age").write_bytes((scene.project / "vault/production.age").read_bytes())
        ways = {
            "lookup": "lookup('dotage.secrets.secret', item)",
            "lookups": "lookup('dotage.secrets.secrets')[item]",
            "result": "loaded.secrets[item]",
            "vars": "lookup('ansible.builtin.vars', item)",
            "profile": "secrets[item]",
        }
        if core == "221":
            ways["variables"] = "mine[item]"
        tasks = """
- dotage.secrets.load_vars: { into: result }
  register: loaded
- dotage.secrets.load_vars: { into: variables, name: mine }
  register: mined
  ignore_errors: true
- ansible.builtin.group_by: { key: production }
"""
        for way, expression in ways.items():
            each = ", ".join(re.sub(r"\bitem\b", "'%s'" % name, expression) for name in HOSTILE)
            tasks += """
- name: by %s
  ansible.builtin.copy: { content: "{{ [%s] | to_json }}", dest: "{{ out }}/%s", mode: "0600" }
  no_log: true
""" % (way, each, way)
        play = "- hosts: production\n  gather_facts: false\n  tasks:\n" + indent(tasks, 4)
        inventory = scene.play / "inventory.ini"
        inventory.write_text("[production]\nh1\nh2\n[all:vars]\nansible_connection=local\nansible_python_interpreter=%s\ndotage_project=%s\nout=%s\n" % (PYTHON, scene.project, scene.host))
        # h2 has no vars of its own, so only the group's.
        said = scene.playbook(play, "-i", str(inventory), "--limit", "h1", environment=cache)
        assert not scene.leaks(said)
        if core == "221":
            assert "...ignoring" not in said
        else:
            assert "variables can be defined from ansible-core 2.21 on" in said
        for way in ways:
            assert json.loads((scene.host / way).read_bytes()) == [scene.values[name] for name in HOSTILE], way
        assert not list(scene.folder.rglob("EVALUATED"))
        opened = [line for line in scene.spawns() if "--vault" in line or "get --json --profile production" in line]
        assert len(opened) == len(set(opened)) == 3, opened
        assert not scene.files_with_canaries(scene.host), scene.files_with_canaries(scene.host)
        for arguments in (["--host", "h1"], ["--list", "--yaml"]):
            command = [scene.bin / "ansible-inventory", "-i", inventory, *arguments]
            done = subprocess.run(command, cwd=scene.play, env=dict(scene.environment, **cache), capture_output=True, text=True, check=True)
            assert not scene.leaks(done.stdout + done.stderr)

        # A name that has no value: an error that says it, or what was asked for.
        said = scene.playbook("- ansible.builtin.debug: { msg: \"{{ lookup('dotage.secrets.secret', 'WEAK') }}\" }", fails=True)
        assert "WEAK has no value" in said, said
        said = scene.playbook(show("[lookup('dotage.secrets.secret', 'WEAK', missing='empty'), query('dotage.secrets.secret', 'WEAK', 'PLAIN', missing='skip') | length]"))
        assert results(said) == [["", 1]], said
        # What a host says of itself chooses no program here.
        facts = "- ansible.builtin.set_fact: { dotage_binary: /bin/false, cacheable: true }\n- dotage.secrets.vault_info: {}\n"
        scene.playbook(facts, environment=cache)


def restarts(core):
    """Only the services of a changed name are recreated; a play that dies before its handlers loses none."""
    with Scene(core) as scene:
        log = scene.host / "log"
        play = """
- hosts: all
  gather_facts: false
  serial: 1
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_role: { name: dotage.secrets.env }
      vars:
        env_target: env
        env_dest: "{{ out }}/{{ inventory_hostname }}.env"
        env_flush: "{{ flush | bool }}"
        env_services:
          worker: { command: [sh, -c, "echo worker@{{ inventory_hostname }} >> log"] }
          api: { command: [sh, -c, "echo api@{{ inventory_hostname }} >> log"], healthy: [sh, -c, "test ! -e sick.{{ inventory_hostname }}"], tries: 1 }
    - name: later
      ansible.builtin.command: { argv: ["{{ later }}"] }
      changed_when: false
"""

        def run(*hosts, flush=True, later="true", fails=False, arguments=()):
            log.write_text("")
            said = scene.playbook(play, *arguments, hosts=hosts or ("h1", "h2"), vars={"flush": flush, "later": later}, fails=fails)
            return log.read_text().split(), said

        every = ["worker@h1", "api@h1", "worker@h2", "api@h2"]
        assert run(arguments=["--check"])[0] == []
        assert run()[0] == every
        done, said = run()
        assert done == [] and "changed=0" in said and not re.search("changed=[1-9]", said)
        scene.set("BRACES", scene.fresh("BRACES"))
        assert run()[0] == ["worker@h1", "worker@h2"]
        scene.set("HASH", scene.fresh("HASH"))
        assert run()[0] == ["api@h1", "api@h2"]
        # The play dies between the change and the handlers: the next run restarts, though the file is as it should be.
        scene.set("HASH", scene.fresh("HASH"))
        done, said = run(flush=False, later="false", fails=True)
        assert done == [] and "h2" not in said.split("PLAY RECAP")[1], said
        assert json.loads((scene.host / ".h1.env.restart").read_text()) == {"services": ["api"]}
        scene.set("BRACES", scene.fresh("BRACES"))
        assert run("h1", flush=False)[0] == ["worker@h1", "api@h1"]
        assert run("h1")[0] == []
        assert run("h2")[0] == ["worker@h2", "api@h2"]
        # A service that does not come up stops the batches, and is still to be recreated.
        scene.set("HASH", scene.fresh("HASH"))
        (scene.host / "sick.h1").write_text("")
        assert run(fails=True)[0] == ["api@h1"]
        (scene.host / "sick.h1").unlink()
        assert run()[0] == ["api@h1", "api@h2"]
        assert run()[0] == []
        assert not [path for path in scene.host.iterdir() if "restart" in path.name]


def freeboard(core):
    """The runbook's stack: each host has its own service's variables, and exactly the services of a changed one are recreated."""
    with Scene(core) as scene:
        board = scene.folder / "board"
        subprocess.run([DOTAGE, "init", "--preset", "freeboard", board], env=scene.environment, check=True, capture_output=True)

        def dotage(*arguments):
            subprocess.run([DOTAGE, "-C", board, *arguments], env=scene.environment, check=True, capture_output=True)

        dotage("generate", "--missing")
        log = scene.folder / "docker.log"
        scene.program("docker", 'case "$*" in *exec*) ;; *) echo "${PWD##*/} $*" >> %s ;; esac' % log)
        scene.program("curl", "exit 0")
        inventory = scene.play / "hosts.ini"
        groups = {"database": "db1", "api": "api1 api2", "gateway": "gw1"}
        inventory.write_text("".join("[%s]\n%s\n" % (group, hosts.replace(" ", "\n")) for group, hosts in groups.items()))
        for hosts in groups.values():
            for host in hosts.split():
                (scene.host / host).mkdir()
        extra = {
            "ansible_connection": "local",
            "ansible_python_interpreter": PYTHON,
            "dotage_project": str(board),
            "freeboard_folder": "%s/{{ inventory_hostname }}" % scene.host,
        }

        def deploy(playbook="dotage.secrets.freeboard", more=(), fails=False):
            log.write_text("")
            command = [scene.bin / "ansible-playbook", playbook, "-i", inventory, "-e", json.dumps(dict(extra, **dict(more)))]
            done = subprocess.run(command, cwd=scene.play, env=scene.environment, capture_output=True, text=True)
            assert (done.returncode != 0) == fails, done.stdout[-4000:] + done.stderr
            return sorted(line.split()[0] + " " + line.split()[-1] for line in log.read_text().splitlines()), done.stdout

        api = ["api1 freeboard-api", "api2 freeboard-api"]
        assert deploy()[0] == api + ["db1 freeboard-postgres", "gw1 freeboard-gateway"]
        names = {host: sorted(re.findall("(?m)^([A-Z_]+)=", (scene.host / host / ".env").read_text())) for host in ("db1", "gw1", "api1")}
        assert names["db1"] == ["POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_USER"], names
        assert names["gw1"] == ["GATEWAY_SERVICE_TOKEN", "JWT_GATEWAY_SECRET"], names
        assert "JWT_SECRET" in names["api1"] and "FREEBOARD_POSTGRES_URL" in names["api1"], names
        assert deploy()[0] == []
        for name, expected in (
            ("JWT_SECRET", api),
            ("GATEWAY_SERVICE_TOKEN", api + ["gw1 freeboard-gateway"]),
            ("POSTGRES_PASSWORD", api + ["db1 freeboard-postgres"]),
        ):
            dotage("generate", name, "--force", "--profile", "production")
            assert deploy()[0] == expected, name
        # One host for the whole stack, by the playbook for any project.
        (scene.host / "one").mkdir()
        services = {name: {"compose": "freeboard-" + name} for name in ("postgres", "api", "gateway")}
        one = {"deploy_hosts": "api1", "env_target": "compose", "env_dest": "%s/one/.env" % scene.host, "env_services": services, "env_profile": "production"}
        assert deploy("dotage.secrets.deploy", one)[0] == ["one freeboard-api", "one freeboard-gateway", "one freeboard-postgres"]
        # A broken contract stops before a host is touched.
        (board / ".env").write_text("JWT_SECRET=in-clear\n")
        os.chmod(board / ".env", 0o644)
        dotage("generate", "JWT_SECRET", "--force", "--profile", "production")
        done, said = deploy(fails=True)
        assert done == [] and "the contract is broken" in said, said[-3000:]


FLEET = """
profiles:
  production: { vault: vault/production.age, contract: lenient }
services:
  database: { deploy: "echo by-dotage >> deployed" }
  api: { after: [database] }
  gateway: { after: [api] }
variables:
  TOKEN:
    purpose: what all of them share
    used_by: [database, api, gateway]
    format: { token: { bytes: 32 } }
    rotation:
      before: 'echo "$TOKEN_OLD $TOKEN_NEW"'
      undo: 'echo "$TOKEN_OLD $TOKEN_NEW"'
      verify: "echo verified >> deployed"
targets:
  env: { template: variables.compose.env.j2, to: .env }
"""


def rotation(core):
    """A rotation over a fleet: a host that fails stops it, and is named; run again it goes on where it stands, or goes back."""
    with Scene(core) as scene:
        (scene.project / "dotage.yaml").write_text(FLEET)
        (scene.project / "vault/production.age").unlink()
        deployed = scene.project / "deployed"
        log = scene.host / "log"
        inventory = scene.play / "hosts.ini"
        inventory.write_text("[api]\napi1\napi2\napi3\n[edge]\ngw1\napi1\n")
        hosts = ["api1", "api2", "api3", "gw1"]
        extra = {
            "dotage_project": str(scene.project),
            "rotate_groups": {"gateway": "edge"},
            "env_target": "env",
            "env_dest": "%s/{{ inventory_hostname }}.env" % scene.host,
            "env_services": {
                name: {"command": ["sh", "-c", "echo %s@{{ inventory_hostname }} >> log" % name], "healthy": ["sh", "-c", "test ! -e sick.{{ inventory_hostname }}"], "tries": 1}
                for name in ("api", "gateway")
            },
        }

        def value():
            found = scene.dotage("get", "TOKEN").decode().strip()
            scene.needles[found] = forms(found)
            return found

        def run(playbook="dotage.secrets.rotate", fails=False, **more):
            log.write_text("")
            deployed.write_text("")
            variables = dict(extra, **more)
            if "deploy" in playbook:
                variables["deploy_serial"] = 10
            command = [scene.bin / "ansible-playbook", playbook, "-vvv", "--diff", "-i", inventory, "-e", json.dumps(variables)]
            command += ["-e", "ansible_connection=local", "-e", "ansible_python_interpreter=" + PYTHON]
            done = subprocess.run(command, cwd=scene.play, env=scene.environment, capture_output=True, text=True)
            said = done.stdout + done.stderr
            assert (done.returncode != 0) == fails, said[-6000:]
            return said, log.read_text().split()

        def holders(value):
            return [host for host in hosts if "=%s\n" % value in (scene.host / (host + ".env")).read_text()]

        scene.dotage("generate", "TOKEN")
        run("dotage.secrets.deploy")
        old = value()
        assert holders(old) == hosts
        every = [name + "@" + host for host in hosts for name in ("api", "gateway")]

        (scene.host / "sick.api2").write_text("")
        said, done = run(fails=True, rotate_names="TOKEN")
        new = value()
        assert new != old and holders(new) == ["api1", "api2"] and holders(old) == ["api3", "gw1"]
        assert done == ["api@api1", "gateway@api1", "api@api2"] and deployed.read_text().split() == ["by-dotage"], done
        assert "api2 failed, and rotation " in said and "stands at `deploy api`" in said, said[-3000:]
        assert not re.search("(?m)^gw1|^api3", said.split("PLAY RECAP")[1]), said[-3000:]
        [flight] = scene.project.glob("vault/*.rotation.age")
        outputs = said

        (scene.host / "sick.api2").unlink()
        said, done = run(rotate_names=["TOKEN"])
        outputs += said
        assert "[TOKEN] [TOKEN]" in outputs and holders(new) == hosts and not flight.exists(), said[-3000:]
        assert done == every[2:], done
        assert deployed.read_text().split() == ["verified"]
        assert re.search(r"(?m)^api1 .*changed=0", said), said[-3000:]

        # One of a batch of three fails: its service is not deployed. And back.
        (scene.host / "sick.api2").write_text("")
        said, done = run(fails=True, rotate_names="TOKEN", rotate_serial=3)
        outputs += said
        assert "api2 failed, and rotation " in said and "api@api3" in done and not [line for line in done if "gw1" in line], done
        assert json.loads(scene.dotage("rotate", "--resume", "--dry-run", "--json"))["steps"][0]["step"] == "deploy api"
        assert value() != new and holders(new) == ["gw1"]
        (scene.host / "sick.api2").unlink()
        said, done = run(rotate_rollback=True, rotate_serial=3)
        outputs += said
        assert value() == new and holders(new) == hosts and not list(scene.project.glob("vault/*.rotation.age"))
        assert sorted(done) == sorted(every[:6]), done
        said, done = run(fails=True)
        assert "no rotation is in flight" in said and done == []
        assert not scene.leaks(outputs), scene.leaks(outputs)
        left = scene.files_with_canaries(scene.host)
        assert not left, left


def ssh(core):
    """Twenty hosts behind a real sshd, in batches, one failing midway: what stands behind it is left alone. One SSH exec and
    one start of the binary for each host and task."""
    with Scene(core) as scene:
        keys = scene.folder / "sshd"
        keys.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
        (keys / "authorized").write_text((keys / "user.pub").read_text())
        port = free_port()
        executed = scene.folder / "executed"
        # Every command that SSH asks for goes through here, as sshd starts it.
        entry = scene.program("entry", 'echo x >> %s\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"' % executed)
        (keys / "config").write_text(
            "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PermitRootLogin prohibit-password\nMaxStartups 200:30:400\nMaxSessions 100\nForceCommand %s\nSubsystem sftp internal-sftp\n" % (port, keys, keys, entry)
        )
        os.makedirs("/run/sshd", exist_ok=True)
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-q", "-f", keys / "config"])
        try:
            wait_for(port)
            hosts = ["s%02d" % number for number in range(1, 21)]
            control = scene.folder / "cp"
            control.mkdir(mode=0o700)
            vars = {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(keys / "user"),
                "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR",
                "ansible_ssh_control_path": "%s/%%%%h-%%%%r-{{ inventory_hostname }}" % control,
            }
            play = """
- hosts: all
  gather_facts: false
  serial: 5
  any_errors_fatal: true
  tasks:
    - dotage.secrets.env_file:
        template: templates/worker.compose.env.j2
        service: worker
        vars: { host: "{{ inventory_hostname }}" }
        dest: "{{ out }}/{{ inventory_hostname }}{{ '/not/there' if inventory_hostname == broken else '' }}.env"
"""
            environment = {"ANSIBLE_FORKS": "10"}

            def run(broken, fails=False):
                executed.write_text("")
                said = scene.playbook(play, hosts=hosts, vars=dict(vars, broken=broken), environment=environment, fails=fails)
                assert not scene.leaks(said)
                return len(executed.read_text().splitlines()), len(scene.spawns()), said

            execs, spawns, said = run("s08", fails=True)
            written = sorted(path.stem for path in scene.host.glob("*.env"))
            assert written == [host for host in hosts[:10] if host != "s08"], written
            assert (execs, spawns) == (10, 10), (execs, spawns)
            execs, spawns, said = run("none")
            assert (execs, spawns) == (20, 20), (execs, spawns)
            assert said.count("changed: [") == 11, said
            for host in hosts:
                path = scene.host / (host + ".env")
                assert mode(path) == "0600" and path.read_text().endswith("HOST=%s\n" % host)
            execs, spawns, said = run("none")
            assert (execs, spawns, said.count("changed: [")) == (20, 20, 0)
            assert not scene.files_with_canaries(scene.host)
            for host in hosts:
                subprocess.run(["ssh", "-O", "exit", "-o", "ControlPath=%s/127.0.0.1-root-%s" % (control, host), "x"], capture_output=True)
        finally:
            sshd.terminate()
            sshd.wait()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port):
    for _attempt in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("sshd does not listen")


def binary(core):
    """Where the binary is found, in which order, and what is said when it is not, or is another."""
    with Scene(core) as scene:
        real = scene.folder / "bin/dotage"
        task = "- dotage.secrets.vault_info: {}\n"

        def called(name, version="dotage 0.1.0"):
            path = scene.folder / name
            path.write_text('#!/bin/sh\necho "$0" >> %s\ncase "$*" in --version) echo "%s" ;; *) exec %s "$@" ;; esac\n' % (scene.folder / "who", version, DOTAGE))
            path.chmod(0o755)
            return path

        def who(tasks=task, **more):
            (scene.folder / "who").write_text("")
            said = scene.playbook(tasks, **more)
            return set((scene.folder / "who").read_text().split()), said

        option, variable, environment = called("option"), called("variable"), called("environment")
        everywhere = {"vars": {"dotage_binary": str(variable)}, "environment": {"DOTAGE_BINARY": str(environment)}}
        assert who("- dotage.secrets.vault_info: { binary: '%s' }\n" % option, **everywhere)[0] == {str(option)}
        assert who(**everywhere)[0] == {str(variable)}
        assert who(environment=everywhere["environment"])[0] == {str(environment)}
        configured = called("configured")
        (scene.play / "ansible.cfg").write_text("[dotage]\nbinary = %s\n" % configured)
        assert who()[0] == {str(configured)}
        (scene.play / "ansible.cfg").unlink()
        # The group's defaults reach every module.
        group = "  module_defaults: { group/dotage.secrets.all: { binary: '%s' } }\n" % option
        assert who(more=group)[0] == {str(option)}
        wheel = scene.bin / "dotage"
        assert not wheel.exists() and who()[0] == set() and scene.spawns(), "PATH's comes last"

        real.unlink()
        said = scene.playbook(task, fails=True)
        assert "the dotage binary was not found on the control node" in said and "pip install dotage" in said, said
        said = scene.playbook(task, fails=True, vars={"dotage_binary": "/nowhere/dotage"})
        assert "there is no dotage binary at /nowhere/dotage" in said, said
        said = scene.playbook(task, fails=True, vars={"dotage_binary": "/bin/echo"})
        assert "/bin/echo is some other program, not dotage" in said, said
        old = called("old", "dotage 0.0.9")
        old.write_text(old.read_text().replace("*) exec", "*) echo unknown >&2; exit 2; exec"))
        said = scene.playbook(task, fails=True, vars={"dotage_binary": str(old)})
        assert "is dotage 0.0.9; this collection needs 0.1.0 or newer" in said, said
        # No identity that opens the vault: said with its remedy.
        said = scene.playbook("- dotage.secrets.env_file: { target: env, dest: '{{ out }}/.env', identity_file: /nowhere }\n", fails=True, vars={"dotage_binary": str(option)})
        assert "DOTAGE_IDENTITY_FILE" in said and not list(scene.host.iterdir()), said


def wheel(core):
    """The wheel, installed offline beside ansible-core as an execution environment installs it, is the binary that the collection
    starts: when there is no other, and before PATH's; what is said comes before it."""
    with Scene(core) as scene:
        beside = scene.folder / "venv"
        subprocess.run([scene.bin / "python", "-m", "venv", "--without-pip", beside], check=True)
        # ansible-core itself is there already, and stays where it is.
        [core_packages] = scene.bin.parent.glob("lib/python3*/site-packages")
        [packages] = beside.glob("lib/python3*/site-packages")
        (packages / "core.pth").write_text("%s\n" % core_packages)
        started = (scene.bin / "ansible-playbook").read_text().split("\n", 1)[1]
        (beside / "bin/ansible-playbook").write_text("#!%s/bin/python\n%s" % (beside, started))
        (beside / "bin/ansible-playbook").chmod(0o755)
        scene.bin = beside / "bin"

        path, task = scene.folder / "bin/dotage", "- dotage.secrets.env_file: { target: env, dest: '{{ out }}/.env' }\n"
        path.rename(scene.folder / "said")
        said = scene.playbook(task, fails=True)
        assert "not beside %s/bin/python" % beside in said and "pip install dotage" in said, said
        pip = [sys.executable, "-m", "pip", "--python", beside / "bin/python", "--disable-pip-version-check", "install", "--no-index"]
        done = subprocess.run(
            [*pip, "--find-links", os.environ["WHEELS"], "-r", ROOT / "ansible/meta/ee-requirements.txt"], capture_output=True, text=True
        )
        assert done.returncode == 0 and "Successfully installed dotage-0.1.0" in done.stdout, done.stdout + done.stderr
        told = subprocess.run([beside / "bin/dotage", "--version"], capture_output=True, text=True, check=True).stdout
        assert told.startswith("dotage 0.1.0"), told
        scene.playbook(task)
        assert (scene.host / ".env").read_bytes() == scene.dotage("render", "env", "--stdout")
        shutil.copy(scene.folder / "said", path)
        scene.playbook(task)
        assert scene.spawns() == [], "PATH's comes last"
        for more in ({"vars": {"dotage_binary": str(path)}}, {"environment": {"DOTAGE_BINARY": str(path)}}):
            scene.playbook(task, **more)
            assert len(scene.spawns()) == 1, more


def tarball(core):
    """Built, installed offline into an empty folder with nothing but the tarball, and every page of it shown."""
    with Scene(core) as scene:
        subprocess.run([scene.bin / "ansible-galaxy", "collection", "build", "--output-path", scene.folder / "built", ROOT / "ansible"], env=scene.environment, check=True, capture_output=True)
        [built] = (scene.folder / "built").iterdir()
        with tarfile.open(built) as archive:
            names = archive.getnames()
        assert not [name for name in names if re.search(r"__pycache__|\.ansible/|output|inventory", name)], names
        assert built.stat().st_size < 200_000
        empty = scene.folder / "empty"
        environment = dict(scene.environment, ANSIBLE_COLLECTIONS_PATH=str(empty))
        install = [scene.bin / "ansible-galaxy", "collection", "install", "--offline", "-p", empty, built]
        subprocess.run(install, env=environment, check=True, capture_output=True)
        installed = empty / "ansible_collections/dotage/secrets"
        verify = [scene.bin / "ansible-galaxy", "collection", "verify", "--offline", "dotage.secrets"]
        subprocess.run(verify, env=environment, check=True, capture_output=True)
        kinds = {"module": "modules", "lookup": "lookup", "vars": "vars", "filter": "filter", "test": "test", "role": "roles"}
        for kind, folder in kinds.items():
            pages = sorted({"dotage.secrets." + path.stem for path in (installed / ("roles" if kind == "role" else "plugins/" + folder)).iterdir()})
            assert pages
            shown = subprocess.run([scene.bin / "ansible-doc", "-t", kind, *pages], env=environment, capture_output=True, text=True)
            assert shown.returncode == 0 and "dotage.secrets" not in shown.stderr, shown.stderr
            if kind != "role":
                assert shown.stdout.count("EXAMPLES") == len(pages), kind
        # What a collection may count on is these folders; the rest may be missing.
        for path in installed.iterdir():
            if path.name not in ("meta", "plugins", "roles", "playbooks", "MANIFEST.json", "FILES.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        task = "- dotage.secrets.env_file: { target: env, dest: '{{ out }}/.env' }\n"
        scene.playbook(task, environment={"ANSIBLE_COLLECTIONS_PATH": str(empty)})
        assert (scene.host / ".env").read_bytes() == scene.dotage("render", "env", "--stdout")


def names(core):
    """The small reader on the hosts finds in what the binary writes, for every consumer, the names that are there, and which
    of them has another value."""
    sys.path.insert(0, str(ROOT / "ansible/plugins/module_utils"))
    import _names

    def written(values, dialect):
        done = subprocess.run([DOTAGE, "convert", "--from", "json", "--to", dialect], input=json.dumps(values).encode(), capture_output=True)
        return done.stdout if done.returncode == 0 else None

    texts = [text % "x" for text in HOSTILE.values()] + ["", "\\", "'", '"', "a'\nb", "'\n'", "A=1\nB=2", '"\nA="', "x\\\ny"]
    tried = 0
    for dialect in DIALECTS:
        for text in texts:
            old = written({"A": "1", "B": text, "C": "2"}, dialect)
            new = written({"B": text, "C": "3", "D": "4"}, dialect)
            if old is None or new is None:
                continue
            tried += 1
            change = _names.compare(old, new, ["B", "C", "D"], dialect)
            told = (change.added, change.removed, change.altered)
            # What it is not sure of it calls altered, all of it.
            assert told in ((["D"], ["A"], ["C"]), ([], [], ["B", "C", "D"])), (dialect, text, told)
            assert told[0] or text not in ("x", "a b"), (dialect, text)
    assert tried > 150, tried
    print("%d pairs of files" % tried)


DIALECTS = "compose docker systemd shell node dotenv-expand vite node-env-file python ruby rust direnv github kubernetes json yaml portable".split()

STORIES = {story.__name__: story for story in (canaries, bytes_and_changes, loose_moments, unprivileged, variables, restarts, names, freeboard, rotation, ssh, binary, wheel, tarball)}

if __name__ == "__main__":
    STORIES[sys.argv[1]](sys.argv[2])
