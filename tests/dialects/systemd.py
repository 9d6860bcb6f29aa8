"""Asks systemd's own parser of `EnvironmentFile=`, out of its shared library, as its executor calls it.

src/core/execute.c, exec_context_load_environment: load_env_file, then strv_env_clean_with_callback, which drops what
is no valid assignment. What it drops is told to the journal, so it is a failure here.
"""
import ctypes
import glob
import os

from answer import each

library = ctypes.CDLL(sorted(glob.glob("/lib/*/systemd/libsystemd-shared-*.so"))[0])
Strings = ctypes.POINTER(ctypes.c_char_p)
Complaint = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
library.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(Strings)]
library.strv_env_clean_with_callback.argtypes = [Strings, Complaint, ctypes.c_void_p]
library.strv_env_clean_with_callback.restype = Strings


def read(path):
    loaded, dropped = Strings(), []
    code = library.load_env_file(None, path.encode(), ctypes.byref(loaded))
    if code < 0:
        raise OSError(-code, os.strerror(-code))
    cleaned = library.strv_env_clean_with_callback(loaded, Complaint(lambda entry, _: dropped.append(entry)), None)
    if dropped:
        raise ValueError(f"dropped {len(dropped)}")
    values, i = {}, 0
    while cleaned and cleaned[i] is not None:
        name, _, value = cleaned[i].partition(b"=")
        values[name] = value
        i += 1
    return values


each(read)
