"""Shared by the tests of downloads: a local server, and an address where nothing listens."""

import contextlib
import hashlib
import http.server
import threading

CLOSED_PORT = "http://127.0.0.1:9/data"  # nothing listens there, as without a network


@contextlib.contextmanager
def serve_bytes():
    """Yield a function that serves bytes and returns their address and SHA-256."""
    servers = []

    def start(body, content_length=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(content_length or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/data", hashlib.sha256(body).hexdigest()

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
