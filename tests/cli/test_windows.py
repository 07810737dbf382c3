"""Nothing that only Unix has is needed to import batchbg: Windows itself is not at hand."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, concurrent.futures, email.message, http.client, importlib.metadata, logging.handlers, multiprocessing
import os, pathlib, pkgutil, selectors, shutil, signal, socket, ssl, subprocess, sys, tempfile, types, urllib.request, uuid
import alembic.config, click, httpx, jinja2, pathspec, PIL.Image, pillow_heif, sqlalchemy, starlette, tqdm, uvicorn

for name in ("SIGHUP", "SIGUSR1", "SIGKILL", "SIGALRM", "setitimer", "set_wakeup_fd"):
    vars(signal).pop(name, None)
for name in ("getuid", "geteuid", "statvfs", "fstatvfs", "sysconf", "fork", "mkfifo", "O_NOFOLLOW", "O_CLOEXEC",
             "O_NONBLOCK", "O_DIRECTORY", "O_NOCTTY", "ST_RDONLY"):
    vars(os).pop(name, None)
for name in ("fcntl", "pwd", "resource", "termios"):
    sys.modules[name] = None
sys.platform, sys.modules["msvcrt"] = "win32", types.ModuleType("msvcrt")

import batchbg
for found in pkgutil.walk_packages(batchbg.__path__, "batchbg."):
    if found.name not in ("batchbg.__main__", "batchbg.sandbox.cutout") and ".migrations" not in found.name:
        __import__(found.name)
print("imported")
"""


@pytest.mark.slow
def test_everything_can_be_imported_where_unix_is_not():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("imported\n", "")
