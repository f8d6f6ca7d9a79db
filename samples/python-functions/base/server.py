"""Serves one Python function, which comes in a ROM, over HTTP.

    python3 server.py [--template] [FILE]       FILE: /rom/python_function.py

With --template the server waits, all loaded but the function, until it is a template: each clone of
it goes on from there, with a ROM of its own.

The file defines handler(request), which gets the request and returns the text of the answer, or, as
in the cloud's guide, function(), which gets nothing.
"""

import http.server
import importlib.util
import sys

PORT = 8080


def load(path):
    """The module in the file at `path`; a ROM cannot be written to, so no bytecode is kept."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("python_function", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server(http.server.ThreadingHTTPServer):
    """An HTTP server that does not look its own name up: there may be no resolver yet."""

    def server_bind(self):
        self.socket.setsockopt(http.server.socketserver.socket.SOL_SOCKET,
                               http.server.socketserver.socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address


def become_template():
    """Returns in each clone."""
    with open("/uk/libukp/template_instance", "w") as file:
        file.write("1")


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--template"]:
        become_template()
        arguments = arguments[1:]
    path = arguments[0] if arguments else "/rom/python_function.py"
    module = load(path)
    handler = getattr(module, "handler", None) or (lambda request: module.function())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = handler(self).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = Server(("", PORT), Handler)
    print(f"serving {path} on port {PORT}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
