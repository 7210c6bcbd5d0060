"""relic86 from Python: a machine that is driven by the machine protocol (QMP), and suites of relic86-batch as tests of pytest.

One file, nothing but Python's own library (3.8 or later). docs/batch.md shows how it is used.

    with Machine("-m", "256", "-kernel", "vmlinuz", "-initrd", "initrd.gz", "-append", "console=ttyS0") as machine:
        machine.expect("login: ")
        machine.send("root\\n")
        print(machine.command("query-status"))

A pytest that is told of it by `pytest_plugins = ["relic86"]` in a conftest.py, or by `-p relic86`, takes each test of the files
*.relic86.toml for one of its own. RELIC86 and RELIC86_BATCH name the programs; RELIC86_BATCH_OPTIONS are more options of relic86-batch.
"""
import json
import os
import re
import shlex
import socket
import subprocess
import tempfile
import time


class Error(Exception):
    """A command that the machine refused, or a machine that has ended."""


class Machine:
    """A running relic86: its machine protocol, and its COM1 as a stream of text."""

    def __init__(self, *options, program=None, start_timeout=60):
        self.serial = ""  # all that the guest has said
        self.events = []  # of the machine protocol, as they came
        self._searched = 0
        self._folder = tempfile.TemporaryDirectory(prefix="relic86-")
        listeners = {}
        words = [program or os.environ.get("RELIC86", "relic86"), *options, "-display", "none"]
        for name in ("qmp", "serial"):
            path = os.path.join(self._folder.name, name)
            listeners[name] = socket.socket(socket.AF_UNIX)
            listeners[name].bind(path)
            listeners[name].listen(1)
            listeners[name].settimeout(0.1)
            words += ["-chardev", f"socket,id=python-{name},path={path}"]
        words += ["-mon", "chardev=python-qmp,mode=control", "-serial", "chardev:python-serial"]
        with open(os.path.join(self._folder.name, "log"), "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._serial = self._accept(listeners["serial"], start_timeout)
            self._qmp = self._accept(listeners["qmp"], start_timeout)
        except Exception:
            self.close()
            raise
        finally:
            for listener in listeners.values():
                listener.close()
        self._lines = self._qmp.makefile("rw", encoding="utf-8", errors="replace")
        self._read_message()  # the greeting
        self.command("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the machine, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for end in ("_serial", "_qmp"):
            if hasattr(self, end):
                getattr(self, end).close()
        self._folder.cleanup()

    def log(self):
        """What relic86 itself has to say."""
        with open(os.path.join(self._folder.name, "log"), encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def command(self, name, arguments=None):
        """Carries out a command of the machine protocol and returns what it answers."""
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        while True:
            message = self._read_message()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise Error(f"{name}: {message['error']['desc']}")

    def monitor(self, line):
        """Carries out a line of the monitor and returns what it prints."""
        return self.command("human-monitor-command", {"command-line": line})

    def send(self, text):
        """To the guest's COM1."""
        self._serial.sendall(text.encode())

    def expect(self, pattern, timeout=600):
        """Waits until the guest says on COM1 what the regular expression matches, after what was waited for before. Host seconds."""
        end = time.monotonic() + timeout
        expression = re.compile(pattern)
        while True:
            match = expression.search(self.serial, self._searched)
            if match:
                self._searched = match.end()
                return match
            self._serial.settimeout(max(end - time.monotonic(), 0.001))
            try:
                piece = self._serial.recv(65536)
            except socket.timeout:
                raise Error(f"'{pattern}' did not come within {timeout} s; the end of COM1: {self.serial[-500:]!r}") from None
            if not piece:
                raise Error(f"relic86 has ended; the end of COM1: {self.serial[-500:]!r}; it said: {self.log()}")
            self.serial += piece.decode("utf-8", "replace").replace("\r", "")

    def wait(self, timeout=600):
        """Until the machine has ended by itself; the exit code."""
        return self.process.wait(timeout)

    def _accept(self, listener, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                connection = listener.accept()[0]
                connection.settimeout(None)
                return connection
            except socket.timeout:
                if self.process.poll() is not None:
                    raise Error(f"relic86 has not started: {self.log()}") from None
        raise Error(f"relic86 has not answered within {timeout} s")

    def _read_message(self):
        """The next message that is no event."""
        while True:
            line = self._lines.readline()
            if not line:
                raise Error(f"relic86 has ended; it said: {self.log()}")
            message = json.loads(line)
            if "event" not in message:
                return message
            self.events.append(message)


class Suite:
    """A suite file of relic86-batch."""

    def __init__(self, file, *options, program=None):
        self.file = str(file)
        self.options = [*options, *shlex.split(os.environ.get("RELIC86_BATCH_OPTIONS", ""))]
        self.program = program or os.environ.get("RELIC86_BATCH", "relic86-batch")

    def tests(self):
        """The names of its tests."""
        done = subprocess.run([self.program, "--list", *self.options, self.file], capture_output=True, text=True)
        if done.returncode != 0:
            raise Error(done.stderr.strip())
        return done.stdout.splitlines()

    def run(self, tests=(), results=None):
        """Runs these tests, or all, and returns their results by name, as a line of results.jsonl has each."""
        with tempfile.TemporaryDirectory(prefix="relic86-") as folder:
            results = results or folder
            words = [self.program, "--results", results, *self.options]
            for test in tests:
                words += ["--test", test]
            done = subprocess.run([*words, self.file], capture_output=True, text=True)
            if done.returncode not in (0, 1):
                raise Error(done.stderr.strip())
            with open(os.path.join(results, "results.jsonl"), encoding="utf-8") as stream:
                return {row["name"]: row for row in map(json.loads, stream)}


# --- pytest ---


def pytest_collect_file(file_path, parent):
    if not file_path.name.endswith(".relic86.toml"):
        return None
    return _pytest_classes()["file"].from_parent(parent, path=file_path)


def _pytest_classes(known={}):
    if known:
        return known
    import pytest

    class Test(pytest.Item):
        def runtest(self):
            row = self.parent.result(self)
            last = row["attempts"][-1]
            if row["verdict"] == "known-failure":
                pytest.xfail(row["known_failure"])
            if row["verdict"] not in ("passed", "unexpected-pass"):
                raise Error(f"{last['outcome']}: {last['detail']}\nexpected: {row['expected']}\nfolder: {row['folder']}\nrepeat: {row['repeat']}")

        def repr_failure(self, excinfo, style=None):
            return str(excinfo.value) if isinstance(excinfo.value, Error) else super().repr_failure(excinfo)

        def reportinfo(self):
            return self.path, 0, self.name

    class File(pytest.File):
        rows = None

        def collect(self):
            self.suite = Suite(self.path)
            for name in self.suite.tests():
                yield Test.from_parent(self, name=name)

        def result(self, item):
            """All tests of the file that were asked for run at once: they share points, and processors."""
            if self.rows is None:
                wanted = [other.name for other in self.session.items if other.parent is self]
                results = os.path.join(str(self.config.rootpath), "relic86-results", self.path.stem)
                self.rows = self.suite.run(wanted, results)
            return self.rows[item.name]

    known.update(file=File, test=Test)
    return known
