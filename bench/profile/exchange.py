"""Runs the two sides of bench/profile:exchange_side, one of them under a tool."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

ROLES = ("sender", "receiver")


class Exchange:
    """One exchange, and where its files are."""

    def __init__(self, program, api, length_bytes):
        self.program = str(pathlib.Path(program).resolve())
        self.api = api
        self.length_bytes = length_bytes

    @contextlib.contextmanager
    def run(self, role, messages, tool):
        """Runs it with `role` under `tool(directory)`, a command prefix;
        yields the directory, which then goes."""
        directory = tempfile.mkdtemp(prefix="zcb-profile-", dir="/dev/shm")
        try:
            self._run(role, messages, tool, directory)
            yield pathlib.Path(directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _run(self, role, messages, tool, directory):
        sides = []
        try:
            for each in ROLES:
                prefix = tool(directory) if each == role else []
                sides.append(subprocess.Popen(prefix + [
                    self.program, each, self.api, str(messages),
                    str(self.length_bytes), directory]))
            # Who fails leaves the other one waiting.
            for side in sorted(sides, key=lambda side: side is sides[ROLES.index(role)]):
                if side.wait() != 0:
                    raise SystemExit(f"exchange_side ended with {side.returncode}")
        finally:
            for side in sides:
                if side.poll() is None:
                    side.kill()
                side.wait()
