#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A server that says what it is told to, and writes down what it was asked.

    canned.py FOLDER

It prints its port.  The answer to `GET /v1/instances/log?x` is the file GET.v1.instances.log.1 of the
folder, or .2, ...: the first that there is, which is then removed; and without one
GET.v1.instances.log.  A file's first line is the HTTP status and a content type, the rest is the body;
"drop" closes the connection.  What was asked is added to FOLDER/asked: method, target, authorization,
then the body on a line of its own.
"""

import http.server
import os
import sys
import urllib.parse

folder = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with open(os.path.join(folder, "asked"), "ab") as asked:
            asked.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}\n"
                        .encode() + body + b"\n")
        name = self.command + urllib.parse.urlsplit(self.path).path.replace("/", ".")
        numbered = [f"{name}.{n}" for n in range(1, 10) if f"{name}.{n}" in os.listdir(folder)]
        try:
            path = os.path.join(folder, (numbered + [name])[0])
            with open(path, "rb") as file:
                head, _, text = file.read().partition(b"\n")
            if numbered:
                os.unlink(path)
        except FileNotFoundError:
            head, text = b"404 text/plain", b"no such answer\n"
        status, _, kind = head.decode().partition(" ")
        if status == "drop":
            self.close_connection = True
            return
        self.send_response(int(status))
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
