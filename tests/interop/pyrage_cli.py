"""PyPI's pyrage at the command line.

usage: pyrage_cli.py keygen | encrypt RECIPIENTS IN OUT [-a] | decrypt IDENTITIES IN | lock PASSPHRASE IN OUT
"""

import sys
from pathlib import Path

import pyrage


def lines(path):
    return [line for line in Path(path).read_text().splitlines() if line and not line.startswith("#")]


def recipient(line):
    kind = pyrage.ssh if line.startswith("ssh-") else pyrage.x25519
    return kind.Recipient.from_str(line)


def identities(path):
    if Path(path).read_text().startswith("-----BEGIN"):
        return [pyrage.ssh.Identity.from_buffer(Path(path).read_bytes())]
    return [pyrage.x25519.Identity.from_str(line) for line in lines(path)]


match sys.argv[1:]:
    case ["keygen"]:
        identity = pyrage.x25519.Identity.generate()
        print(f"# public key: {identity.to_public()}\n{identity}")
    case ["encrypt", keys, source, target, *armor]:
        file = pyrage.encrypt(Path(source).read_bytes(), [recipient(line) for line in lines(keys)], armored=bool(armor))
        Path(target).write_bytes(file)
    case ["decrypt", keys, source]:
        sys.stdout.buffer.write(pyrage.decrypt(Path(source).read_bytes(), identities(keys)))
    case ["lock", passphrase, source, target]:
        Path(target).write_bytes(pyrage.passphrase.encrypt(Path(source).read_bytes(), passphrase))
    case _:
        sys.exit(__doc__)
