"""Shows the quotes of /app/data/quotes.txt, a line each, in the colour of /app/data/colour.txt."""

import html
from http.server import BaseHTTPRequestHandler, HTTPServer


def read(name):
    with open("/app/data/" + name, encoding="utf-8") as file:
        return html.escape(file.read().strip())


def page():
    quotes = "".join(f"<p>{line}</p>\n" for line in read("quotes.txt").splitlines())
    return f'<!doctype html>\n<meta charset="utf-8">\n<body style="color: {read("colour.txt")}">\n{quotes}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, page()
        except OSError as error:
            status, text = 500, f"{error}\n"
            print(error, flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if status == 200 else "text/plain")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


print("listening on 8083", flush=True)
HTTPServer(("", 8083), Handler).serve_forever()
