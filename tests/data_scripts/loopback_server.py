"""A small HTTP server on 127.0.0.1 that plays the part of a download site, with faults on demand."""
import http.server
import io
import re
import threading
import zipfile


class Site:
    """`files` maps a path to bytes; `script` holds one fault per coming request (popped from the front).

    Faults: an int (that status), ("cut", n) body ends after n bytes, ("redirect", url), "no-range" Range is ignored,
    "wrong-range" a 206 of another range, ("retry-after", status, text), "html" a web page with status 200.
    """

    def __init__(self, files=None):
        self.files, self.script, self.seen, self.etag = dict(files or {}), [], [], '"v1"'
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def log_message(self, *args):
                pass

            def do_GET(self):
                site.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                site.answer(self, site.script.pop(0) if site.script else None)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def answer(self, request, fault):
        request.close_connection = True
        if isinstance(fault, int):
            return self.send(request, fault, b"fault")
        if isinstance(fault, tuple) and fault[0] == "retry-after":
            return self.send(request, fault[1], b"later", {"Retry-After": fault[2]})
        if isinstance(fault, tuple) and fault[0] == "redirect":
            return self.send(request, 302, b"", {"Location": fault[1]})
        if fault == "html":
            return self.send(request, 200, b"<!DOCTYPE html><html>please log in</html>")
        body = self.files.get(request.path)
        if body is None:
            return self.send(request, 404, b"nothing here")
        start, status, extra = self.range_of(request, body, fault)
        if status == 416:
            return self.send(request, 416, b"", extra)
        cut = fault[1] if isinstance(fault, tuple) and fault[0] == "cut" else None
        return self.send(request, status, body[start:], dict(extra, ETag=self.etag), cut)

    def range_of(self, request, body, fault):
        match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        fresh = request.headers.get("If-Range", self.etag) == self.etag
        if not match or not fresh or fault == "no-range":
            return 0, 200, {}
        start = int(match.group(1)) + (3 if fault == "wrong-range" else 0)
        if start >= len(body):
            return 0, 416, {"Content-Range": "bytes */%d" % len(body)}
        return start, 206, {"Content-Range": "bytes %d-%d/%d" % (start, len(body) - 1, len(body))}

    def send(self, request, status, body, headers=None, cut=None):
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        try:
            request.wfile.write(body if cut is None else body[:cut])
            request.wfile.flush()
        except OSError:
            pass


def zip_bytes(entries, compression=zipfile.ZIP_DEFLATED):
    """entries: list of (name or ZipInfo, data)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data in entries:
            z.writestr(name, data)
    return out.getvalue()
