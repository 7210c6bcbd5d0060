#!/usr/bin/env python3
"""attack_test.py NAME RELIC86: the program from outside, as those see it who wish it ill (docs/sandbox.md).

Without arguments: lists the tests. Waits are long only where something is broken: no test measures time.
"""
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PATIENCE = 120  # seconds until something that does not happen is a failure

# A boot sector that writes 'U' to COM1 for ever, waiting for THRE as drivers do. It counts the characters in the dword
# at 600h, and how often it has looked for THRE since the last one in the dword at 604h:
#   start: mov dx,3FDh; poll: inc dword [604h]; in al,dx; test al,20h; jz poll
#          mov dx,3F8h; mov al,'U'; out dx,al; inc dword [600h]; and dword [604h],0; jmp start
WRITER = bytes.fromhex('bafd0366ff060406eca82074f6baf803b055ee66ff060006668326040600ebe0')


class Failure(Exception):
    pass


class Skipped(Exception):
    """The host lacks what the test looks at."""


def check(holds, message):
    if not holds:
        raise Failure(message)


def boot_disk(path, code=WRITER):
    with open(path, 'wb') as disk:
        disk.write(code.ljust(510, b'\0') + b'\x55\xaa')
        disk.truncate(1 << 20)
    return path


def until(holds, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = holds()
        if result:
            return result
        time.sleep(0.05)
    raise Failure(f'it never came: {what}')


def connect(path):
    def attempt():
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            return None
    return until(attempt, path)


class Qmp:
    def __init__(self, path):
        self.socket = connect(path)
        self.stream = self.socket.makefile('rb')
        self.greeting = json.loads(self.stream.readline())
        self.ask('qmp_capabilities')

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def answer(self):
        while True:
            line = self.stream.readline()
            check(line.endswith(b'\r\n'), f'an answer is cut: {line[-100:]}')
            message = json.loads(line)
            if 'event' not in message:
                return message

    def ask(self, command, **arguments):
        self.send(json.dumps({'execute': command, 'arguments': arguments}))
        return self.answer()

    def monitor(self, line):
        return self.ask('human-monitor-command', **{'command-line': line})['return'].replace('\r', '')


class Machine:
    """relic86 with these options and a QMP socket; ended by force at the end of the with block."""

    def __init__(self, *options, **popen):
        self.arguments = [RELIC86, '-display', 'none', '-m', '4', *options]
        if '-qmp' not in options:
            self.arguments += ['-qmp', 'unix:qmp,server,nowait']
        popen.setdefault('stdin', subprocess.DEVNULL)
        popen.setdefault('stdout', subprocess.DEVNULL)
        popen.setdefault('stderr', subprocess.PIPE)
        self.process = subprocess.Popen(self.arguments, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def qmp(self, path='qmp'):
        return Qmp(path)

    def end(self):
        """SIGTERM ends it in order."""
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure('SIGTERM does not end it')
        check(code == 0, f'SIGTERM ends it with code {code}')


def framed(data):
    return f'${data}#{sum(data.encode()) & 0xFF:02x}'.encode()


def test_gdbserver_over_gdb():
    with Machine('-S', '-gdb', 'unix:gdb') as machine:
        gdb = connect('gdb')
        stream = gdb.makefile('rb')

        def ask(data, last):
            gdb.sendall(framed(data))
            seen = b''
            while not seen.endswith(last):
                byte = stream.read(1)
                check(byte, f'gdb is disconnected: {seen}')
                seen += byte
            return seen
        for command in ('gdbserver', 'gdbserver/x', 'gdbserver none', ' gdbserver  tcp::1', 'gdbserver unix:other'):
            answer = ask('qRcmd,' + command.encode().hex(), framed('OK'))
            check(framed('OK') in answer and len(answer) > 20, f'{command}: {answer}')
            check(b'T05' in ask('?', framed('T05thread:01;')), 'the session is gone')
        check('Waiting for gdb' in machine.qmp().monitor('gdbserver unix:other'), 'the monitor cannot move the server')
        connect('other')
        machine.end()


def unread_output(options, reader=None, **popen):
    """A guest that writes for ever and a reader that does not read: monitor and SIGTERM are answered."""
    boot_disk('disk')
    with Machine('-drive', 'file=disk,format=raw', *options, **popen) as machine:
        client = reader(machine) if reader else None
        qmp = machine.qmp()

        def counters():
            written, looks = qmp.monitor('xp /2xw 0x600').split()[-2:]
            return int(written, 16), int(looks, 16)

        def stalled():
            # A character takes about a millisecond of guest time, some thousand looks at the line status.
            written, looks = counters()
            return written > 0 and looks > 1000000
        until(stalled, 'a transmitter that stays busy')
        check(qmp.ask('query-status')['return']['status'] == 'running', 'the machine is not running')
        if client is not None:  # and goes on when somebody reads
            total, stored = 0, counters()[0]
            while total < stored + 2000:
                piece = os.read(client, 65536)
                check(piece and set(piece) == {ord('U')}, f'{piece[:20]}')
                total += len(piece)
        machine.end()


def test_unread_stdout():
    unread_output(['-serial', 'stdio'], lambda machine: machine.process.stdout.fileno(), stdout=subprocess.PIPE)


def test_unread_socket():
    kept = []

    def reader(_):
        kept.append(connect('serial'))
        kept[0].setblocking(True)
        return kept[0].fileno()
    unread_output(['-serial', 'unix:serial,server,nowait'], reader)


def test_unread_fifo():
    os.mkfifo('fifo')
    unread_output(['-serial', 'file:fifo'])
    os.mkfifo('pipe.in')
    os.mkfifo('pipe.out')
    unread_output(['-serial', 'pipe:pipe'])


def test_unread_qmp():
    """A client that does not read is let go, never in the middle of a message; others are served."""
    with Machine('-S', '-qmp', 'unix:qmp,server,nowait', '-qmp', 'unix:lazy,server,nowait') as machine:
        qmp, lazy = machine.qmp(), machine.qmp('lazy')
        lazy.socket.setblocking(False)
        try:  # commands without an end, too
            while True:
                lazy.socket.send(b'{"execute":"query-commands"}' * 100)
        except BlockingIOError:
            pass

        def disconnected():
            for _ in range(200):
                qmp.send('{"execute":"cont"}{"execute":"stop"}')
            for _ in range(400):
                qmp.answer()
            # Its half of the connection is closed once it was let go.
            try:
                lazy.socket.send(b' ')
                return False
            except BlockingIOError:
                return False
            except OSError:
                return True
        until(disconnected, 'the end of a QMP client that does not read')
        lazy.socket.setblocking(True)
        seen = 0
        try:
            for line in lazy.stream:
                check(line.endswith(b'\r\n'), f'cut: {line[-80:]}')
                json.loads(line)
                seen += 1
        except ConnectionResetError:
            pass
        check(seen > 0, 'the client saw nothing at all')
        check(qmp.ask('query-status')['return'], 'no answer')
        machine.end()


def test_unread_gdb():
    with Machine('-S', '-gdb', 'unix:gdb') as machine:
        qmp = machine.qmp()
        gdb = connect('gdb')
        gdb.setblocking(False)
        try:
            while True:
                gdb.send(framed('m0,1000') * 50)
        except BlockingIOError:
            pass
        check(qmp.ask('query-status')['return'], 'no answer')
        machine.end()


def peak_memory(machine):
    with open(f'/proc/{machine.process.pid}/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) // 1024


def test_qmp_limits():
    sys.setrecursionlimit(10000)  # of our own parser
    with Machine('-S', '-qmp-pretty', 'unix:pretty,server,nowait') as machine:
        qmp = machine.qmp()
        deepest = '[' * 1023 + ']' * 1023
        qmp.send('{"execute":"query-status","id":' + deepest + '}')
        check('return' in qmp.answer(), 'a thousand levels are refused')
        qmp.send('{"execute":"query-status","id":[' + deepest + ']}')
        check(qmp.answer()['error']['desc'] == 'JSON nesting depth limit exceeded', 'nesting')
        qmp.close()  # with the errors that the brackets left over make, as in QEMU
        qmp = machine.qmp()
        qmp.send('"' + 'x' * 70000 + '"\n')
        errors = qmp.answer()['error']['desc']
        check(errors == 'JSON token size limit exceeded', errors)
        qmp.close()
        for shape in ('[' * 1000 + '0' + ',0' * 30000 + ']' * 1000, '[' * 60000, '[],' * 20000, '{"a":' * 12000):
            pretty = connect('pretty')
            pretty.sendall(b'{"execute":"qmp_capabilities"}{"execute":"query-status","id":' + shape.encode() + b'}')
            pretty.recv(4096)
            pretty.close()
        check('return' in machine.qmp().ask('query-status'), 'no answer')
        peak = peak_memory(machine)
        check(peak < 512, f'{peak} MiB were used')
        machine.end()


def test_sandbox():
    boot_disk('disk')
    os.mkdir('media')
    boot_disk('media/other.iso')
    outside = tempfile.mkdtemp(dir=os.path.expanduser('~') if os.path.expanduser('~') != '/' else '/srv')
    try:
        boot_disk(outside + '/cd.iso')
        options = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
        with Machine('-drive', 'file=disk,format=raw', '-cdrom', 'media/other.iso', '-sandbox', options) as machine:
            qmp = machine.qmp()
            with open(f'/proc/{machine.process.pid}/status') as file:
                status = dict(line.split(':', 1) for line in file)
            check(status['Seccomp'].strip() == '2', f'Seccomp: {status["Seccomp"]}')
            check(status['NoNewPrivs'].strip() == '1', 'privileges can be gained')
            for command, answer in (('savevm a', ''), ('loadvm a', ''), ('screendump picture.ppm', ''),
                                    ('change ide1-cd0 media/other.iso', ''), ('delvm a', ''), ('pmemsave 0 100 memory', '')):
                check(qmp.monitor(command) == answer, f'{command}: {qmp.monitor(command)}')
            check('Waiting' in qmp.monitor('gdbserver unix:gdb'), 'no gdb server')
            connect('gdb').close()
            check(os.path.getsize('picture.ppm') > 1000, 'no picture')
            if landlock():
                answer = qmp.monitor(f'change ide1-cd0 {outside}/cd.iso')
                check('no permission' in answer, f'a file elsewhere: {answer}')
                answer = qmp.monitor(f'screendump {outside}/picture.ppm')
                check('Permission denied' in answer, f'a file elsewhere: {answer}')
            qmp.ask('cont')
            machine.end()
    finally:
        subprocess.run(['rm', '-rf', outside], check=True)
    for wrong in ('maybe', 'on,spawn=perhaps', 'on,children=allow'):
        result = subprocess.run([RELIC86, '-display', 'none', '-sandbox', wrong], stderr=subprocess.PIPE, text=True)
        check(result.returncode == 1 and result.stderr.startswith('relic86: -sandbox '), result.stderr)


def landlock():
    import ctypes
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_size_t(0), version) > 0


def listening_addresses(port):
    with open('/proc/net/tcp') as table:
        rows = [line.split() for line in table][1:]
    return {row[1].split(':')[0] for row in rows if row[3] == '0A' and int(row[1].split(':')[1], 16) == port}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def test_loopback():
    for option, value in (('-gdb', 'tcp::{}'), ('-serial', 'tcp::{},server,nowait'), ('-monitor', 'telnet::{},server,nowait')):
        port = free_port()
        with Machine('-S', option, value.format(port)) as machine:
            machine.qmp()
            check(listening_addresses(port) == {'0100007F'}, f'{option}: {listening_addresses(port)}')
            machine.end()
    port = free_port()
    with Machine('-S', '-serial', f'tcp:0.0.0.0:{port},server,nowait') as machine:
        machine.qmp()
        check(listening_addresses(port) == {'00000000'}, f'{listening_addresses(port)}')
        machine.end()


def test_pid_file():
    with Machine('-S', '-pidfile', 'pid') as machine:
        machine.qmp()
        expected = f'{machine.process.pid}\n'
        check(open('pid').read() == expected, 'no process number')
        second = subprocess.run([RELIC86, '-display', 'none', '-S', '-pidfile', 'pid'], stderr=subprocess.PIPE, text=True)
        check(second.returncode == 1 and 'a machine that runs has this file' in second.stderr, second.stderr)
        check(open('pid').read() == expected, 'the file of the first is gone')
        machine.end()
        check(not os.path.exists('pid'), 'the file is left')
    open('pid', 'w').write('12345\n')  # of a machine that was killed
    with Machine('-S', '-pidfile', 'pid') as machine:
        machine.qmp()
        check(open('pid').read() == f'{machine.process.pid}\n', 'an old file is in the way')
        machine.end()


def test_no_descriptors():
    """Without free descriptors a client is sent away, and comes in once there are some."""
    fillers = [word for n in range(4) for word in ('-serial', f'unix:filler{n},server,nowait')]
    with Machine('-S', '-monitor', 'unix:monitor,server,nowait', *fillers) as machine:
        filling = [machine.qmp()] + [connect(f'filler{n}') for n in range(4)]  # the holes among the numbers
        client = connect('monitor')
        check(client.recv(1) == b'r', 'no greeting')
        pid = machine.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # What is open stays open; a new descriptor would need a number that is in use, or beyond the limit.
        used = {int(fd) for fd in os.listdir(f'/proc/{pid}/fd')}
        lowest_free = min(set(range(max(used) + 2)) - used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(lowest_free, max(used)), before[1]))
        client.close()
        refused = connect('monitor')
        check(refused.recv(1) == b'', 'a client without a descriptor is kept waiting')
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        check(connect('monitor').recv(1) == b'r', 'the monitor greets nobody any more')
        check(len(filling) == 5, 'the other clients are kept')
        machine.end()


def test_fifo_targets():
    os.mkfifo('fifo')
    with open('kept', 'w') as file:
        file.write('kept')
    with Machine('-S') as machine:
        qmp = machine.qmp()
        check('nobody reads it' in qmp.monitor('screendump fifo'), 'screendump without a reader')
        check('nobody reads it' in qmp.monitor('pmemsave 0 1000 fifo'), 'pmemsave without a reader')
        reader = os.open('fifo', os.O_RDONLY | os.O_NONBLOCK)
        check('takes nothing' in qmp.monitor('pmemsave 0 1000000 fifo'), 'pmemsave to a reader that sleeps')
        os.close(reader)
        before = resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        check('File too large' in qmp.monitor('pmemsave 0 1000000 kept'), 'a disk that is full')
        resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, before)
        check(open('kept').read() == 'kept', 'a file is lost although nothing was saved')
        check(qmp.monitor('pmemsave 0 1000 kept') == '' and os.path.getsize('kept') == 1000, 'pmemsave')
        check(sorted(os.listdir('.')) == ['fifo', 'kept', 'qmp'], f'left: {os.listdir(".")}')
        machine.end()


def journals():
    return [name for name in os.listdir('.') if '.relic86-' in name]


def test_orphaned_journals():
    boot_disk('disk')
    options = ('-S', '-drive', 'file=disk,format=raw')
    with Machine(*options) as machine:
        qmp = machine.qmp()
        check(qmp.monitor('savevm a') == '' and qmp.monitor('savevm b') == '', 'savevm')
        check(len(journals()) == 2, f'{journals()}')
        machine.end()
    os.unlink('a.relic86')  # as if the host had died in the middle
    with Machine(*options) as machine:
        qmp = machine.qmp()
        check([name[:2] for name in journals()] == ['b.'], f'{journals()}')
        check(qmp.monitor('loadvm b') == '', 'the other machine is lost')
        os.unlink('b.relic86')
        check(qmp.monitor('delvm b') == '', 'delvm does not delete journals without a machine')
        check(journals() == [], f'{journals()}')
        check('cannot be deleted' in qmp.monitor('delvm b'), 'delvm of nothing')
        machine.end()


def test_memory_limits():
    """Whatever memory the host gives, the program runs or says what is missing."""
    seen = set()
    for megabytes in (24, 32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512, 1024):
        def limit(size=megabytes << 20):
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        result = subprocess.run([RELIC86, '-display', 'none', '-m', '64', '--timeout', '0.01'], preexec_fn=limit,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if 'error while loading shared libraries' in result.stderr or result.returncode == 127:
            continue  # not even the program was loaded
        lines = [line for line in result.stderr.splitlines() if not line.startswith('warning: ')]
        message = lines[0] if lines else ''
        check(result.returncode in (1, 4) and message.startswith('relic86: '),
              f'{megabytes} MiB: code {result.returncode}: {result.stderr[:300]}')
        seen.add(result.returncode)
    check(seen == {1, 4}, f'the limits show nothing: {seen}')


def stuck_machine():
    """A machine whose thread hangs in the host: its last words go to a pipe that is full."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(writing, b'x' * 4096)
    except BlockingIOError:
        pass
    fcntl.fcntl(writing, fcntl.F_SETFL, 0)
    return Machine('--timeout', '0.2', '-pidfile', 'pid', stderr=writing), reading, writing


def writes_to_stderr(pid):
    """Whether a thread of the process is in the middle of write(2, ...), as the kernel tells."""
    number_of_write = {'x86_64': '1', 'aarch64': '64'}.get(os.uname().machine)
    for thread in os.listdir(f'/proc/{pid}/task'):
        try:
            with open(f'/proc/{pid}/task/{thread}/syscall') as call:
                if call.read().split()[:2] == [number_of_write, '0x2']:
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass  # the thread has ended meanwhile
    return False


def pending_signals(pid):
    with open(f'/proc/{pid}/status') as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith('ShdPnd'))


def test_signals():
    try:
        open('/proc/self/syscall').close()
    except OSError as failure:
        raise Skipped(f'this kernel does not tell what a process waits for: {failure}')
    for signals in (1, 2):
        machine, reading, writing = stuck_machine()
        with machine:
            pid = machine.process.pid
            until(lambda: writes_to_stderr(pid), 'a machine that hangs')
            check(os.path.exists('pid'), 'there is no PID file')
            for _ in range(signals):
                machine.process.send_signal(signal.SIGTERM)
                # Two that are pending at a time would be one.
                until(lambda: machine.process.poll() is not None or pending_signals(pid) == 0, 'somebody who takes the signal')
            try:
                code = machine.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                raise Failure(f'{signals} signals do not end a machine that hangs')
            check(code == 128 + signal.SIGTERM, f'code {code}')
            check(not os.path.exists('pid'), 'the PID file is left')
        os.close(reading)
        os.close(writing)


def test_hardening():
    """What the program was built with (RELIC86_HARDENING of CMake) can be read off its file (ELF-64, gABI chapter 5)."""
    wanted = os.environ.get('RELIC86_HARDENING', '').split()
    if not wanted:
        raise Skipped('this build has no hardening')
    with open(RELIC86, 'rb') as file:
        program = file.read()
    kind, headers_at, header_size, count = struct.unpack_from('<16xH14xQ14xHH', program)
    headers = [struct.unpack_from('<IIQQQQQQ', program, headers_at + n * header_size) for n in range(count)]
    load, dynamic, stack, relro = 1, 2, 0x6474E551, 0x6474E552
    execute, write = 1, 2
    check(all(flags & (execute | write) != execute | write for type, flags, *_ in headers if type in (load, stack)),
          'memory that can be written and executed')
    check(any(type == stack and not flags & execute for type, flags, *_ in headers), 'a stack that can be executed')
    if 'pie' in wanted:
        check(kind == 3, 'the program lies at one address')
    if 'relro' in wanted:
        check(any(type == relro for type, *_ in headers), 'no RELRO')
        _, _, offset, _, _, size, _, _ = next(header for header in headers if header[0] == dynamic)
        entries = dict(struct.iter_unpack('<QQ', program[offset:offset + size]))
        check(entries.get(0x6FFFFFFB, 0) & 1, 'functions of libraries are looked up when they are called')
    for word, function in (('stack', b'__stack_chk_fail'), ('fortify', b'__memcpy_chk'), ('assertions', b'__glibcxx_assert_fail')):
        check(word not in wanted or function in program, f'{word}: nobody calls {function.decode()}')


TESTS = {name[len('test_'):]: function for name, function in sorted(globals().items()) if name.startswith('test_')}

if __name__ == '__main__':
    if len(sys.argv) < 3:
        print('\n'.join(TESTS))
        sys.exit(0)
    RELIC86 = os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            TESTS[sys.argv[1]]()
        except Skipped as skipped:
            print(f'attack_test: {sys.argv[1]}: skipped: {skipped}')
            sys.exit(77)
        except (Failure, OSError, ValueError, KeyError) as failure:
            print(f'attack_test: {sys.argv[1]}: {type(failure).__name__}: {failure}', file=sys.stderr)
            sys.exit(1)
        finally:
            os.chdir('/')
