"""Linux (i386) recorded and replayed under gdb, for tests that look backwards for what corrupted its memory.

RELIC86_CACHE as in boot_test, RELIC86_ENGINE names an engine. Nothing waits for a time.
"""
import atexit
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINUX = pathlib.Path(os.environ.get("RELIC86_CACHE", ROOT / ".cache")) / "guests" / "linux"
PATIENCE = 500


def fail(message):
    raise SystemExit(f"{pathlib.Path(sys.argv[0]).name}: {message}")


def skip_without_guest(program):
    """Exit code 77: the guest is not in the cache (scripts/guests linux), or gdb is not installed."""
    if not (LINUX / "done").exists() or shutil.which("gdb") is None:
        print("skipped: scripts/guests linux makes the guest, and gdb is needed")
        sys.exit(77)
    if "jit" not in subprocess.run([program, "-accel", "help"], capture_output=True, text=True, check=False).stdout:
        print("skipped: Linux takes the interpreter alone too long")
        sys.exit(77)


def archive(name, content):
    """A cpio archive (newc) with one program in it, for the kernel to unpack beside the others."""
    def member(name, mode, content):
        fields = [1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
        return head.ljust(-(-len(head) // 4) * 4, b"\0") + content.ljust(-(-len(content) // 4) * 4, b"\0")
    return member(name, 0o100755, content) + member("TRAILER!!!", 0, b"")


class LinuxRun:
    """A run of the guest with one more file in its initrd, in the folder WORK."""

    def __init__(self, program, work, file, kernel_words):
        self.program, self.work, self.kernel_words = program, work, kernel_words
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        compressed = (LINUX / "initrd.gz").read_bytes()
        padded = compressed.ljust(-(-len(compressed) // 4) * 4, b"\0")
        (work / "initrd").write_bytes(padded + archive(*file))

    def start(self, mode, *options):
        command = [self.program, "-icount", f"shift=3,sleep=off,rr={mode},rrfile={self.work / 'recording'}", "-m", "64", "-nic", "none",
                   "-kernel", LINUX / "vmlinuz", "-initrd", self.work / "initrd", "-append", f"console=ttyS0 {self.kernel_words}",
                   "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", *options]
        if "RELIC86_ENGINE" in os.environ:
            command += ["-accel", os.environ["RELIC86_ENGINE"]]
        machine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(PATIENCE, machine.kill)
        watchdog.daemon = True
        watchdog.start()
        atexit.register(machine.kill)
        return machine

    def record(self, dialogue):
        """Waits for each pattern, then types; what the guest said until it ended."""
        machine = self.start("record")
        everything = said = b""
        for wanted, typed in dialogue:
            while not re.search(wanted, said):
                got = os.read(machine.stdout.fileno(), 65536)
                if not got:
                    fail(f"no {wanted}; the guest said: {said[-2000:].decode(errors='replace')}{machine.stderr.read().decode()}")
                said += got
            everything += said
            said = b""
            machine.stdin.write(typed)
            machine.stdin.flush()
        everything += machine.stdout.read()
        if machine.wait() != 0:
            fail(machine.stderr.read().decode())
        return everything.decode(errors="replace").replace("\r", "")

    def debug(self, commands, *words):
        """What gdb says to the commands, attached to the replay before its first instruction."""
        path = self.work / "gdb"
        machine = self.start("replay", "-S", "-gdb", f"unix:{path},server,nowait")
        machine.stdin.close()
        threading.Thread(target=machine.stdout.read, daemon=True).start()
        while not path.exists():
            if machine.poll() is not None:
                fail(machine.stderr.read().decode())
        given = [word for command in (f"target remote {path}", *commands, "kill") for word in ("-ex", command)]
        told = subprocess.run(["gdb", "-nx", "-batch", *given, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
        return told.stdout + told.stderr
