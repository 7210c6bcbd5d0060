"""A machine of ours with a client of its protocol (QMP), for tests of whole machines."""
import json
import os
import pathlib
import socket
import subprocess
import time

PATIENCE = 1200  # seconds until something that does not happen is a failure; a busy host takes its time


class Failed(SystemExit):
    pass


class Machine:
    """A program that was started with these options; what its guest says goes to a file."""

    def __init__(self, program, folder, *options, environment=None, wrapper=()):
        folder = pathlib.Path(folder)
        self.serial = folder / "serial"
        self.socket = folder / "qmp"
        command = [*wrapper, str(program), "-display", "none", "-monitor", "none", "-nic", "none",
                   "-chardev", f"file,id=serial,path={self.serial}", "-serial", "chardev:serial",
                   "-qmp", f"unix:{self.socket},server=on,wait=off", *map(str, options)]
        if os.environ.get("RELIC86_ENGINE"):
            command += ["-accel", os.environ["RELIC86_ENGINE"]]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        self.client = socket.socket(socket.AF_UNIX)
        self.until("the program has a monitor", self.connect)
        self.client.settimeout(PATIENCE)
        self.stream = self.client.makefile("r")
        self.events = []
        self.message()
        self.ask("qmp_capabilities")

    def fail(self, text):
        self.process.kill()
        said = self.process.stdout.read().decode(errors="replace")
        raise Failed(f"{text}\nthe program said: {said}\nthe guest said: {self.said()[-2000:]}")

    def said(self):
        return self.serial.read_text(errors="replace").replace("\r", "") if self.serial.exists() else ""

    def connect(self):
        try:
            self.client.connect(str(self.socket))
            return True
        except OSError:
            self.client.close()
            self.client = socket.socket(socket.AF_UNIX)
            return False

    def until(self, what, holds):
        end = time.monotonic() + PATIENCE
        while not holds():
            if self.process.poll() is not None and not holds():
                self.fail(f"never: {what}; the program has ended with {self.process.returncode}")
            if time.monotonic() > end:
                self.fail(f"never: {what}")
            time.sleep(0.05)

    def wait_for(self, text):
        self.until(f"the guest says {text!r}", lambda: text in self.said())

    def message(self):
        line = self.stream.readline()
        if not line:
            self.fail("the program has ended")
        return json.loads(line)

    def try_to(self, command, /, **arguments):
        words = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.client.sendall((json.dumps({"execute": command, "arguments": words}) + "\n").encode())
        while True:
            message = self.message()
            if "event" not in message:
                return message
            self.events.append(message)

    def ask(self, command, /, **arguments):
        answer = self.try_to(command, **arguments)
        if "return" not in answer:
            self.fail(f"{command}: {answer}")
        return answer["return"]

    def wait_event(self, name, /, **data):
        """The data of the first such event that has not been waited for."""
        while True:
            for event in self.events:
                if event["event"] == name and all(event.get("data", {}).get(key) == value for key, value in data.items()):
                    self.events.remove(event)
                    return event.get("data", {})
            message = self.message()
            if "event" not in message:
                self.fail(f"unexpected: {message}")
            self.events.append(message)

    def quit(self):
        self.ask("quit")
        if self.process.wait(PATIENCE) != 0:
            self.fail(f"exit code {self.process.returncode}")
        self.client.close()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.client.close()
