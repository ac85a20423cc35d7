"""A session with PostgreSQL's protocol, for tests that send what psql cannot: any bytes as a parameter. Trust only."""
import os
import socket
import struct


class Lost(Exception):
    """The session is gone, or does not answer in time."""


class Result:
    def __init__(self):
        self.rows, self.tags, self.error, self.notices = [], [], None, []

    @property
    def state(self):
        """The SQLSTATE, or None."""
        return self.error and self.error["C"]

    def describe(self):
        return f"{self.error['C']} {self.error['M']}" if self.error else f"{len(self.rows)} rows"


class Session:
    def __init__(self, user, database, timeout=120, **options):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.buffer, self.status = b"", b"I"
        try:
            self.socket.connect(f"{os.environ['PGHOST']}/.s.PGSQL.{os.environ.get('PGPORT', 5432)}")
            pairs = dict(options, user=user, database=database)
            body = struct.pack("!I", 196608) + b"".join(f"{k}\0{v}\0".encode() for k, v in pairs.items()) + b"\0"
            self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        except OSError as error:
            raise Lost(str(error)) from error
        result = self.answer()
        if result.error:
            raise Lost(result.describe())

    def message(self, kind, body):
        return kind + struct.pack("!I", len(body) + 4) + body

    def send(self, *messages):
        try:
            self.socket.sendall(b"".join(messages))
        except OSError as error:
            raise Lost(str(error)) from error

    def read(self, count):
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(1 << 20)
            except socket.timeout as error:
                raise Lost("no answer in time") from error
            except OSError as error:
                raise Lost(str(error)) from error
            if not more:
                raise Lost("the server closed the connection")
            self.buffer += more
        piece, self.buffer = self.buffer[:count], self.buffer[count:]
        return piece

    def answer(self):
        """Everything up to ReadyForQuery; the first error, the tags and rows of all statements.

        A portal that is not at its end gives the tag suspended, a function call called.
        """
        result = Result()
        while True:
            kind = self.read(1)
            body = self.read(struct.unpack("!I", self.read(4))[0] - 4)
            if kind == b"Z":
                self.status = body
                return result
            if kind == b"D":
                result.rows.append(columns(body))
            elif kind in b"EN":
                fields = {f[:1].decode(): f[1:].decode("utf-8", "replace") for f in body.split(b"\0") if f}
                if kind == b"N":
                    result.notices.append(fields)
                else:
                    result.error = result.error or fields
            elif kind in b"CsV":
                result.tags.append({b"s": "suspended", b"V": "called"}.get(kind) or body[:-1].decode())
            elif kind == b"G":
                self.send(self.message(b"f", b"no data\0"))   # COPY FROM STDIN

    def query(self, sql):
        """A simple query; text or bytes."""
        self.send(self.message(b"Q", encoded(sql) + b"\0"))
        return self.answer()

    def ask(self, sql, *values):
        """A query with parameters, in text form: text, bytes or None."""
        self.send(
            self.message(b"P", b"\0" + encoded(sql) + b"\0\0\0"), self.bind("", values),
            self.message(b"E", b"\0\0\0\0\0"), self.message(b"S", b""))
        return self.answer()

    def prepare(self, name, sql):
        """A prepared statement, in the place of one of the same name."""
        self.send(
            self.message(b"C", b"S" + encoded(name) + b"\0"),
            self.message(b"P", encoded(name) + b"\0" + encoded(sql) + b"\0\0\0"), self.message(b"S", b""))
        return self.answer()

    def execute(self, name, *values, pieces=1, rows=0):
        """The prepared statement, its portal run in so many Execute messages, all but the last of so many rows."""
        runs = [self.message(b"E", b"\0" + struct.pack("!i", rows)) for _ in range(pieces - 1)]
        self.send(self.bind(name, values), *runs, self.message(b"E", b"\0\0\0\0\0"), self.message(b"S", b""))
        return self.answer()

    def call(self, function, *values):
        """A function call of the protocol: an OID, and values in binary form."""
        body = b"".join(struct.pack("!i", len(value)) + value for value in values)
        self.send(self.message(b"F", struct.pack("!IHHH", function, 1, 1, len(values)) + body + struct.pack("!H", 1)))
        return self.answer()

    def bind(self, name, values):
        body = b"\0" + encoded(name) + b"\0" + struct.pack("!HH", 0, len(values))
        for value in values:
            body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(encoded(value))) + encoded(value)
        return self.message(b"B", body + b"\0\0")

    def close(self):
        try:
            self.socket.sendall(self.message(b"X", b""))
        except OSError:
            pass
        self.socket.close()


def encoded(text):
    return text.encode() if isinstance(text, str) else text


def columns(body):
    values, at = [], 2
    for _ in range(struct.unpack("!H", body[:2])[0]):
        size = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size].decode("utf-8", "replace"))
        at += max(size, 0)
    return tuple(values)
