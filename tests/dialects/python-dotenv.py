"""Asks PyPI's python-dotenv, with nothing set in its environment."""
import logging
import os

import dotenv

from answer import each


class Complaint(logging.Handler):
    """Turns a warning ("could not parse statement") into a failure."""

    def emit(self, record):
        raise ValueError(record.getMessage())


logger = logging.getLogger("dotenv.main")
logger.addHandler(Complaint())
logger.propagate = False
os.environ.clear()


def read(path):
    values = dotenv.dotenv_values(path, interpolate=True)
    return {name: value for name, value in values.items() if value is not None}


each(read)
