"""A client of the RFB protocol (RFC 6143) for tests: small, exact about what it takes, and able to misbehave."""
import base64
import hashlib
import os
import socket
import struct

from des import encrypt

RAW, COPY_RECT = 0, 1
CURSOR, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE = -239, -223, -308
POINTER_TYPE, EXTENDED_KEYS, LIGHTS = -257, -258, -261
USUAL = (RAW, CURSOR, DESKTOP_SIZE, POINTER_TYPE, EXTENDED_KEYS, LIGHTS)

SHIFT, CONTROL, ALT, RETURN, F2, F3, F4 = 0xFFE1, 0xFFE3, 0xFFE9, 0xFF0D, 0xFFBF, 0xFFC0, 0xFFC1
STILL = 0x7FFF  # of a pointer that is told by its motion: no way at all


class Refused(Exception):
    pass


class Gone(Exception):
    pass


class WebSocketStream:
    """A socket's bytes within frames of RFC 6455."""

    def __init__(self, connection):
        self.connection = connection
        self.waiting = b""
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall((f"GET /websockify HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Origin: http://localhost\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: binary\r\n"
                            "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                raise Refused("no answer to the web socket's request")
            head += byte
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if not head.startswith(b"HTTP/1.1 101") or accept not in head:
            raise Refused(f"no web socket: {head!r}")

    def sendall(self, data):
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0x80 | 126, len(data))
        self.connection.sendall(b"\x82" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.connection.recv(count - len(data))
            if not more:
                return b""
            data += more
        return data

    def recv(self, count):
        while not self.waiting:
            head = self._exactly(2)
            if not head:
                return b""
            size = head[1] & 0x7F
            if size == 126:
                size = struct.unpack(">H", self._exactly(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._exactly(8))[0]
            payload = self._exactly(size)
            if head[0] & 0x0F == 8:
                return b""
            self.waiting = payload
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data

    def close(self):
        self.connection.close()


class Client:
    """address: (host, port) or a unix socket's path; or a connection that is there already."""

    def __init__(self, address=None, shared=True, password=None, encodings=USUAL, version="003.008", web_socket=False,
                 connection=None, patience=1200):
        self.socket = connection or socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(patience)
        if connection is None:
            self._connect(address)
        self.stream = WebSocketStream(self.socket) if web_socket else self.socket
        self.pixels = bytearray()
        self.width = self.height = 0
        self.cursor = None            # (width, height) of the last one
        self.absolute = None          # None: was not told
        self.extended_keys = False
        self.lights = None
        self.changed = 0              # pixels of all updates
        self.screens = None           # of ExtendedDesktopSize
        try:
            self._shake_hands(version, password, shared)
            if encodings:
                self.set_encodings(encodings)
        except Exception:
            self.close()
            raise

    def _connect(self, address):
        try:
            self.socket.connect(address)
        except OSError:
            self.close()
            raise

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                more = self.stream.recv(count - len(data))
            except ConnectionError as error:
                raise Gone(str(error)) from error
            if not more:
                raise Gone("the server has closed the connection")
            data += more
        return bytes(data)

    def number(self, form):
        return struct.unpack(">" + form, self.read(struct.calcsize(">" + form)))[0]

    def send(self, form, *values):
        try:
            self.stream.sendall(struct.pack(">" + form, *values))
        except ConnectionError as error:
            raise Gone(str(error)) from error

    def _shake_hands(self, version, password, shared):
        greeting = self.read(12)
        if greeting != b"RFB 003.008\n":
            raise Refused(f"the server greets with {greeting!r}")
        self.stream.sendall(f"RFB {version}\n".encode())
        wanted = 1 if password is None else 2
        if version == "003.003":
            kind = self.number("I")
            if kind != wanted:
                raise Refused(f"the server wants security type {kind}")
        else:
            kinds = self.read(self.number("B"))
            if wanted not in kinds:
                raise Refused(f"the server offers security types {list(kinds)}")
            self.send("B", wanted)
        if wanted == 2:
            self.stream.sendall(encrypt(password, self.read(16)))
        if wanted == 2 or version == "003.008":
            if self.number("I") != 0:
                reason = self.read(self.number("I")).decode() if version == "003.008" else ""
                raise Refused(f"not let in: {reason}")
        self.send("B", shared)
        self._resize(self.number("H"), self.number("H"))
        self.format = self.read(16)
        self.name = self.read(self.number("I")).decode()
        self.send("B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)

    def _resize(self, width, height):
        self.width, self.height = width, height
        self.pixels = bytearray(width * height * 4)

    def set_encodings(self, encodings):
        self.send(f"BxH{len(encodings)}i", 2, len(encodings), *encodings)

    def request(self, incremental=True):
        self.send("BBHHHH", 3, incremental, 0, 0, self.width, self.height)

    def update(self):
        """Takes the next message; True: it was an update."""
        kind = self.number("B")
        if kind == 0:
            self.read(1)
            for _ in range(self.number("H")):
                self._rectangle()
            return True
        if kind == 2:  # bell
            return False
        if kind == 3:
            self.read(3)
            self.read(self.number("I"))
            return False
        raise Gone(f"the server sends a message {kind}")

    def _rectangle(self):
        x, y, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
        if encoding == RAW:
            if x + width > self.width or y + height > self.height:
                raise Gone(f"a rectangle {width}x{height} at {x},{y} in a screen {self.width}x{self.height}")
            data = self.read(width * height * 4)
            self.changed += width * height
            for row in range(height):
                at = ((y + row) * self.width + x) * 4
                self.pixels[at:at + width * 4] = data[row * width * 4:(row + 1) * width * 4]
        elif encoding == DESKTOP_SIZE:
            self._resize(width, height)
        elif encoding == EXTENDED_DESKTOP_SIZE:
            count = self.number("B")
            self.read(3)
            self.screens = [struct.unpack(">IHHHHI", self.read(16)) for _ in range(count)]
            if (width, height) != (self.width, self.height):
                self._resize(width, height)
        elif encoding == CURSOR:
            self.read(width * height * 4 + (width + 7) // 8 * height)
            self.cursor = (width, height)
        elif encoding == POINTER_TYPE:
            self.absolute = x == 1
        elif encoding == EXTENDED_KEYS:
            self.extended_keys = True
        elif encoding == LIGHTS:
            self.lights = self.number("B")
        else:
            raise Gone(f"a rectangle in encoding {encoding}")

    def picture(self):
        """(width, height), red, green, blue by turns: as a screendump's."""
        rgb = bytearray(self.width * self.height * 3)
        for channel in range(3):
            rgb[channel::3] = self.pixels[2 - channel::4]
        return (self.width, self.height), bytes(rgb)

    def key(self, symbol, down):
        self.send("BBxxI", 4, down, symbol)

    def press(self, *symbols):
        for symbol in symbols:
            self.key(symbol, True)
        for symbol in reversed(symbols):
            self.key(symbol, False)

    def type(self, text):
        for character in text:
            self.press(RETURN if character == "\n" else ord(character))

    def extended_key(self, symbol, code, down):
        self.send("BBHII", 255, 0, down, symbol, code)

    def point(self, x, y, buttons=0):
        self.send("BBHH", 5, buttons, x, y)

    def cut_text(self, text):
        data = text.encode("latin-1")
        self.send(f"B3xI{len(data)}s", 6, len(data), data)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
