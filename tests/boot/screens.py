"""Machines whose screen a test looks at: a program with a monitor (QMP) and a serial line."""
import json
import os
import pathlib
import queue
import re
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 1200  # seconds until something that does not happen is a failure; a busy host takes its time


class Failure(SystemExit):
    pass


class Qmp:
    """The machine protocol of a process, on the socket that it listens at."""

    def __init__(self, path, process):
        end = time.monotonic() + PATIENCE
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            try:
                self.socket.connect(path)
                break
            except OSError as error:
                self.socket.close()
                if time.monotonic() > end or process.poll() is not None:
                    raise Failure(f"the machine has no monitor: {error}") from error
                time.sleep(0.05)
        # For reading alone: a text file for both ways drops what it has read ahead when it writes.
        self.file = self.socket.makefile("r")
        self.events = []
        self.file.readline()
        self.ask("qmp_capabilities")

    def send(self, command, /, **arguments):
        self.socket.sendall((json.dumps({"execute": command, "arguments": arguments}) + "\n").encode())

    def ask(self, command, /, **arguments):
        self.send(command, **arguments)
        while True:
            answer = json.loads(self.file.readline())
            if "event" in answer:
                self.events.append(answer)
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]


class Machine:
    """program with these options; a context manager that ends it."""

    def __init__(self, program, options):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "qmp")
        command = [program, *options, "-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none", "-qmp",
                   f"unix:{path},server=on,wait=off"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.qmp = Qmp(path, self.process)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").strip())
        self.lines.put(None)

    def ask(self, command, /, **arguments):
        return self.qmp.ask(command, **arguments)

    def _next(self, end, wanted):
        """The next line of the serial line, which comes until this moment."""
        try:
            line = self.lines.get(timeout=max(0.1, end - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            raise Failure(f"no {wanted} on the serial line; the guest said:\n" + "\n".join(self.seen[-40:]))
        self.seen.append(line)
        return line

    def line(self, *beginnings):
        """The next line of the serial line that begins with one of these words."""
        end = time.monotonic() + PATIENCE
        while True:
            line = self._next(end, beginnings)
            for word in beginnings:
                if word in line:
                    return line[line.index(word):]

    def told(self, *patterns):
        """A line for each of these regular expressions, from where it matches on. The guest may tell them in any order."""
        found = [None] * len(patterns)
        end = time.monotonic() + PATIENCE
        while None in found:
            line = self._next(end, [pattern for pattern, match in zip(patterns, found) if match is None])
            for index, pattern in enumerate(patterns):
                match = re.search(pattern, line) if found[index] is None else None
                if match:
                    found[index] = line[match.start():]
                    break
        return found

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def picture(self):
        """(width, height), bytes of red, green, blue by turns."""
        file = pathlib.Path(self.folder.name) / "screen.ppm"
        self.ask("screendump", filename=str(file))
        data, fields, at = file.read_bytes(), [], 0
        for _ in range(4):
            while data[at:at + 1].isspace():
                at += 1
            begin = at
            while not data[at:at + 1].isspace():
                at += 1
            fields.append(data[begin:at])
        if fields[0] != b"P6" or fields[3] != b"255":
            raise Failure("the screenshot is no PPM of 8 bits")
        return (int(fields[1]), int(fields[2])), data[at + 1:]
