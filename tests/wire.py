"""PostgreSQL's protocol, as far as tests need it: messages that psql does not send."""
import os
import socket
import struct


class Connection:
    """A session by the server's socket in PGHOST, as the role postgres."""

    def __init__(self, database="postgres", user="postgres"):
        port = os.environ.get("PGPORT", "5432")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{os.environ['PGHOST']}/.s.PGSQL.{port}")
        self.buffer = b""
        start = f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!ii", len(start) + 8, 196608) + start)
        self.answers()

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def message(self):
        while len(self.buffer) < 5 or len(self.buffer) < 1 + struct.unpack("!i", self.buffer[1:5])[0]:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        length = struct.unpack("!i", self.buffer[1:5])[0]
        kind, body = self.buffer[:1], self.buffer[5:1 + length]
        self.buffer = self.buffer[1 + length:]
        return kind, body

    def answers(self):
        """What the server says until it is ready: commands' tags, values, SQLSTATEs."""
        said = []
        while True:
            kind, body = self.message()
            if kind == b"Z":
                return said
            if kind == b"E":
                said.append(next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C"))
            elif kind == b"C":
                said.append(body[:-1].decode())
            elif kind == b"D":
                said.append(body[6:].decode())
            elif kind == b"V":
                said.append("called")
            elif kind == b"s":
                said.append("suspended")

    def query(self, text):
        self.send(b"Q", text.encode() + b"\0")
        return self.answers()

    def call(self, function, *numbers):
        """A function call of the protocol, of integers."""
        arguments = b"".join(struct.pack("!ii", 4, number) for number in numbers)
        self.send(b"F", struct.pack("!ihhh", function, 1, 1, len(numbers)) + arguments + struct.pack("!h", 1))
        return self.answers()

    def execute(self, text, most=0, times=1):
        """The extended protocol: a statement that is bound once and run in parts of `most` rows."""
        self.send(b"P", b"\0" + text.encode() + b"\0\0\0")
        self.send(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, 0))
        for _ in range(times):
            self.send(b"E", b"\0" + struct.pack("!i", most))
        self.send(b"S")
        return self.answers()
