#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Requests that no client should send, to a server that has to stand them.

    hostile_http.py PORT TOKEN PID WHAT...

For each WHAT it prints one line, "WHAT: ok" or what was wrong.
"""
import json
import os
import random
import resource
import socket
import sys
import time

port, token, pid = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
patience = 240  # of a busy machine


def dial():
    connection = socket.create_connection(("127.0.0.1", port), timeout=patience)
    return connection


def hear(connection):
    """All up to the end, or to the reset."""
    parts = []
    try:
        while True:
            part = connection.recv(1 << 16)
            if not part:
                break
            parts.append(part)
    except (ConnectionError, socket.timeout) as problem:
        if isinstance(problem, socket.timeout):
            raise RuntimeError("no end of the answer") from problem
    connection.close()
    return b"".join(parts)


def begin(request, ends=True):
    connection = dial()
    try:
        connection.sendall(request)
        if ends:
            connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    return connection


def exchange(request, ends=True):
    return hear(begin(request, ends))


def head(method="GET", target="/v1/instances", *more, close=True, auth=True):
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    if auth:
        lines.append(f"Authorization: Bearer {token}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines + list(more)) + "\r\n\r\n").encode("latin-1")


def is_well():
    answer = exchange(head(), ends=False)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the server does not answer well any more: {answer[:200]}")


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def expect(answer, *wanted):
    """One of these statuses, or None: no answer."""
    if status_of(answer) not in wanted:
        raise RuntimeError(f"{answer[:300]}")


def files():
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(what="VmRSS"):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith(what + ":"):
            return int(line.split()[1])
    return 0


def settle(wanted):
    """Waits until so many descriptors are open, or fewer."""
    end = time.monotonic() + patience
    while files() > wanted and time.monotonic() < end:
        time.sleep(0.1)
    if files() > wanted:
        raise RuntimeError(f"{files()} descriptors are open, not {wanted}")


# ---- what is sent ------------------------------------------------------------------------------

def malformed():
    # libmicrohttpd 1.0 sends who has a blank in his target to the escaped one.
    refused = (301, 400, 401, 403, 404, 405, 413, 414, 431, 500, 501, 505, None)
    for request in [
        b"\r\n\r\n", b"\0" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n",
        b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
        b" / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/instances HTTP/1.1\nHost: localhost\n\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: folded\r\n\r\n",
        b"GET /\x01\x02\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
        b"GET /?" + b"a&" * 10000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]:
        expect(exchange(request), *refused)
    for lines in [
        ["Content-Length: -1"], ["Content-Length: x"], ["Content-Length: 99999999999999999999"],
        ["Content-Length: 2", "Content-Length: 3"], ["Transfer-Encoding: nonsense"],
        ["Expect: miracles", "Content-Length: 2"], ["Connection: upgrade", "Upgrade: websocket"],
    ]:
        answer = exchange(head("GET", "/v1/instances", *lines) + b"[]")
        expect(answer, 200, *refused)
    is_well()


def chunked():
    lines = ["Transfer-Encoding: chunked"]
    for body, wanted in [
        (b"2\r\n[]\r\n0\r\n\r\n", (200,)), (b"1\r\n[\r\n1\r\n]\r\n0\r\nX: y\r\n\r\n", (200,)),
        (b"2;ext=1\r\n[]\r\n0\r\n\r\n", (200, 400)), (b"x\r\n[]\r\n0\r\n\r\n", (400, None)),
        (b"-1\r\n[]\r\n0\r\n\r\n", (400, None)), (b"2\r\n[]", (400, None)), (b"", (400, None)),
        (b"ffffffffffffffffff\r\n[]", (400, 413, None)), (b"7fffffffffffffff\r\n[]", (413, 400, None)),
        (b"2\r\n[]xx0\r\n\r\n", (400, None)), (b"0" * 100000, (400, 413, 431, 500, None)),
        (b"0\r\n" + b"X: y\r\n" * 20000, (400, 413, 431, 500, None)),
    ]:
        # libmicrohttpd takes who has ended for gone, once he is known to wait for an answer.
        answer = exchange(head("GET", "/v1/instances", *lines) + body, 200 not in wanted)
        if status_of(answer) not in wanted:
            raise RuntimeError(f"{body[:40]}: {answer[:300]}")
    is_well()


def smuggled():
    """A length and chunks: what follows must not be taken for a request with our token."""
    hidden = head("GET", "/v1/nosuch", close=False)
    for lines in [["Content-Length: 5", "Transfer-Encoding: chunked"],
                  ["Transfer-Encoding: chunked", "Content-Length: 5"]]:
        answer = exchange(head("GET", "/v1/instances", *lines, close=False) + b"0\r\n\r\n" + hidden)
        if answer.count(b"HTTP/1.1 200") > 1:
            raise RuntimeError(f"{answer[:500]}")
    is_well()


def bodies():
    def post(text, *wanted):
        data = text.encode() if isinstance(text, str) else text
        answer = exchange(head("POST", "/v1/instances", f"Content-Length: {len(data)}") + data, False)
        expect(answer, *wanted)
        if b"application/json" not in answer or b'"status":"error"' not in answer:
            raise RuntimeError(f"no envelope: {answer[:300]}")

    for text in ["{", "[" * 100000, "{\"a\":" * 100000, "\"", "nul", "[1e999999]", "{} {}",
                 "[" + "1," * 1000000 + "1]", "{" + ",".join(f'"a{i}":1' for i in range(50000)) + "}",
                 "[" + ",".join(["{}"] * 100000) + "]", b"\xff\xfe[\x00]\x00", b"[\"\\ud800\"]", b"[\"\0\"]",
                 "- image: x", "\ufeff{}", "{\"image\":\"" + "x" * 1000000 + "\"}"]:
        post(text, 200, 400, 404, 413)
    for method in ("GET", "PATCH", "DELETE"):
        for text in ["{", "7", "[7]", "[[]]", "[{\"name\":7}]", "[{\"name\":\"\\u0000\"}]", "{" * 1000]:
            answer = exchange(head(method, "/v1/instances", f"Content-Length: {len(text)}") +
                              text.encode(), False)
            expect(answer, 400, 200)
            json.loads(answer.split(b"\r\n\r\n", 1)[1])
    is_well()


def pipelined():
    connection = dial()
    count = 1000
    connection.sendall(b"".join([head(close=False)] * (count - 1)) + head())
    answer = hear(connection)
    if answer.count(b"HTTP/1.1 200 ") != count:
        raise RuntimeError(f"{answer.count(b'HTTP/1.1 200 ')} answers of {count}")


def unread():
    """Many requests, whose answers nobody reads."""
    before = memory_kb()
    connections = [dial() for _ in range(50)]
    for connection in connections:
        connection.settimeout(0.5)
        try:
            for _ in range(200):
                connection.sendall(head("GET", "/openapi.json", close=False))
        except OSError:
            pass
    is_well()
    if memory_kb() - before > 100000 and not os.environ.get("SANITIZE"):
        raise RuntimeError(f"{memory_kb() - before} KB for what nobody reads")
    for connection in connections:
        connection.close()


def idle():
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 100)), hard))
    before, base = memory_kb(), files()
    connections = [dial() for _ in range(count)]
    is_well()
    half = [connection.sendall(b"GET /v1/instances HTTP/1.1\r\nHost: 127") for connection in connections]
    is_well()
    grown = memory_kb() - before
    # The four of slow(), which runs meanwhile, may be cut off by now.
    if files() - base < count - 4:
        raise RuntimeError(f"only {files() - base} of {count} connections are there")
    for connection in connections:
        connection.close()
    settle(base + 5)
    is_well()
    # ASan's own memory is another matter.
    if grown > 48000 and not os.environ.get("SANITIZE"):
        raise RuntimeError(f"{count} idle connections took {grown} KB")
    del half


def too_many():
    """More than there may be: those that wait for a place get it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2100)), hard))
    base = files()
    connections = [dial() for _ in range(1800)]
    for connection in connections[:1000]:
        connection.close()
    is_well()
    for connection in connections[1000:]:
        connection.close()
    settle(base + 5)


def large():
    """Many large bodies at once, none of which is ever whole."""
    connections = []
    before = memory_kb()
    for _ in range(60):
        connection = dial()
        connection.settimeout(patience)
        connection.sendall(head("POST", "/v1/instances", f"Content-Length: {8 << 20}"))
        connection.sendall(b" " * (7 << 20))
        connections.append(connection)
    is_well()
    grown = memory_kb() - before
    for connection in connections:
        connection.close()
    if grown > 700000 and not os.environ.get("SANITIZE"):
        raise RuntimeError(f"{grown} KB for bodies that may take 256 MB")
    is_well()


def endless():
    """Who is refused may not go on for ever."""
    connection = dial()
    connection.sendall(head("POST", "/v1/instances", "Transfer-Encoding: chunked", auth=False))
    sent = 0
    try:
        while sent < 300 << 20:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    except OSError:
        pass
    connection.close()
    if sent >= 300 << 20:
        raise RuntimeError("300 MB were taken of who has no token")
    is_well()


def slow():
    """A byte each half second, in the headers and in a body: cut off in the end."""
    connections = [dial() for _ in range(4)]
    starts = [b"GET /v1/instances HTTP/1.1\r\nX: ", b"G", head("POST", "/v1/instances",
              "Content-Length: 100000"), head("POST", "/v1/instances", "Content-Length: 100000", auth=False)]
    for connection, start in zip(connections, starts):
        connection.sendall(start)
        connection.settimeout(0.01)
    end = time.monotonic() + patience
    while connections and time.monotonic() < end:
        for connection in list(connections):
            try:
                connection.sendall(b" ")
                if connection.recv(4096) == b"":
                    raise ConnectionResetError
            except socket.timeout:
                pass
            except OSError:
                connections.remove(connection)
        time.sleep(0.5)
    if connections:
        raise RuntimeError(f"{len(connections)} slow ones are still there")
    is_well()


def garbage():
    random.seed(7)
    connections = []
    valid = head("POST", "/v1/instances?count=1&tags=a,b", "Content-Length: 15") + b'[{"name":"x"}] '
    for _ in range(1500):
        data = bytearray(valid)
        for _ in range(random.randint(1, 8)):
            at = random.randrange(len(data))
            action = random.randrange(3)
            if action == 0:
                data[at] = random.randrange(256)
            elif action == 1:
                del data[at:at + random.randrange(1, 20)]
            else:
                data[at:at] = random.choice([b"\r\n", b"\0", b"%00", b"\xff", b": ", b"{", b"a" * 100])
            if not data:
                data = bytearray(b"x")
        connections.append(begin(bytes(data)))
        if len(connections) == 100:
            for connection in connections:
                hear(connection)
            connections = []
    is_well()


def flat():
    """The same again and again takes no more memory."""
    def some(count):
        connection = dial()
        one = head(close=False) + head("GET", "/v1/nosuch", close=False) + \
            head("POST", "/v1/instances", "Content-Length: 4", close=False) + b'[{"]'
        for _ in range(count):
            connection.sendall(one)
            got = b""
            while got.count(b"HTTP/1.1 ") < 3 or not got.endswith(b"}"):
                part = connection.recv(1 << 16)
                if not part:
                    raise RuntimeError("the connection ended")
                got += part
        connection.close()

    some(500)
    before = memory_kb()
    some(1000)
    if memory_kb() - before > 2000 and not os.environ.get("SANITIZE"):
        raise RuntimeError(f"{memory_kb() - before} KB more after 3,000 requests")


base_files = files()
for name in sys.argv[4:]:
    try:
        globals()[name]()
        settle(base_files + 8)
        print(f"{name}: ok", flush=True)
    except (RuntimeError, OSError) as wrong:
        print(f"{name}: {wrong!r}", flush=True)
