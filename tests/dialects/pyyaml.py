"""Asks PyYAML, and takes nothing but strings (or `!!binary`) for a value."""
import yaml

from answer import each


def read(path):
    with open(path, "rb") as file:
        document = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    for name, value in document.items():
        if not isinstance(name, str) or not isinstance(value, (str, bytes)):
            raise TypeError(f"{name} is no string")
    return document


each(read)
