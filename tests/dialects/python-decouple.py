"""Asks PyPI's python-decouple."""
from decouple import RepositoryEnv

from answer import each

each(lambda path: RepositoryEnv(path).data)
