"""Fetches one file over HTTP(S): resume, retries with back-off, redirects without leaking credentials, checksums."""
import contextlib
import errno
import fcntl
import hashlib
import http.client
import ipaddress
import json
import os
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

CHUNK = 1 << 16
DISK_MARGIN = 64 << 20


class FetchError(Exception):
    """One line for the user: what failed and why."""


class _Retry(Exception):
    def __init__(self, reason, wait=None):
        super().__init__(reason)
        self.wait = wait


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(url):
    host = urllib.parse.urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; drops Authorization on another origin; refuses to fall back from https to http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise FetchError("%s: refuses a redirect to %s" % (req.full_url, newurl))
        if req.full_url.startswith("https:") and newurl.startswith("http:"):
            raise FetchError("%s: refuses a redirect from https to http (%s)" % (req.full_url, newurl))
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and origin(req.full_url) != origin(newurl):
            for name in [n for n in new.headers if n.lower() in ("authorization", "cookie")]:
                del new.headers[name]
        return new


class Progress:
    """A line on stderr: redrawn on a terminal, else one line per tenth."""

    def __init__(self, label, total, start, stream=None):
        self.label, self.total, self.done, self.start = label, total, start, start
        self.stream = stream or sys.stderr
        self.live = getattr(self.stream, "isatty", lambda: False)()
        self.began, self.last, self.tenth = time.monotonic(), 0.0, -1

    def add(self, count):
        self.done += count
        now = time.monotonic()
        if self.live and now - self.last > 0.2:
            self.last = now
            self.stream.write("\r" + self.text(now).ljust(78)[:78])
            self.stream.flush()
        elif not self.live and self.total and self.done * 10 // self.total > self.tenth:
            self.tenth = self.done * 10 // self.total
            print(self.text(now), file=self.stream)

    def text(self, now):
        rate = (self.done - self.start) / max(now - self.began, 1e-3)
        text = "%s: %.1f MB" % (self.label, self.done / 1e6)
        if self.total:
            left = (self.total - self.done) / max(rate, 1.0)
            text += " of %.1f MB (%d %%), %.1f MB/s, %d s left" % (
                self.total / 1e6, 100 * self.done // self.total, rate / 1e6, left)
        return text

    def close(self):
        if self.live:
            self.stream.write("\r" + self.text(time.monotonic()).ljust(78)[:78] + "\n")


def digest(path, kind):
    value = hashlib.new(kind, usedforsecurity=False) if kind == "md5" else hashlib.new(kind)
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            value.update(block)
    return value.hexdigest()


def human_status(code, url):
    hints = {401: "not authorised: check the Kaggle user name and key",
             403: "forbidden: accept the data set's terms on its page, or check the credentials",
             404: "not found: the data set has moved; try another --source or --base-url"}
    return "%s: HTTP %d (%s)" % (url, code, hints.get(code, http.client.responses.get(code, "error")))


def retry_after(headers):
    value = headers.get("Retry-After", "") if headers else ""
    return min(float(value), 60.0) if re.fullmatch(r"\d{1,6}", value) else None


class Download:
    """One file: `path`.part grows until it is complete, `path`.part.json remembers what it is a part of."""

    def __init__(self, url, path, *, size=None, checksums=None, headers=None, retries=6, backoff=1.0, timeout=30.0,
                 max_bytes=16 << 30, label=None, log=None):
        self.url, self.path, self.part, self.note = url, path, path + ".part", path + ".part.json"
        self.size, self.checksums, self.headers = size, checksums or {}, dict(headers or {})
        self.retries, self.backoff, self.timeout, self.max_bytes = retries, backoff, timeout, max_bytes
        self.label = label or os.path.basename(path)
        self.log = log or (lambda text: print(text, file=sys.stderr))
        self.opener = urllib.request.build_opener(SafeRedirects())

    def run(self):
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with open(self.part, "ab") as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FetchError("%s: another download of this file is running" % self.part) from None
            self.loop(out)
        self.check()
        os.replace(self.part, self.path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.note)
        return self.path

    def loop(self, out):
        failures, rounds = 0, 0
        while True:
            before = os.fstat(out.fileno()).st_size
            try:
                if self.attempt(out):
                    return
                reason, wait = "the connection ended early", None
            except _Retry as e:
                reason, wait = str(e), e.wait
            except (OSError, http.client.HTTPException) as e:
                cause = getattr(e, "reason", e)
                if isinstance(cause, ssl.SSLCertVerificationError):
                    raise FetchError("%s: the certificate cannot be verified: %s" % (self.url, cause)) from None
                if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EIO):
                    raise
                reason, wait = str(cause) or type(e).__name__, None
            out.flush()
            grown = os.fstat(out.fileno()).st_size > before
            failures, rounds = (1 if grown else failures + 1), rounds + 1
            if failures > self.retries or rounds > 100 * (self.retries + 1):
                raise FetchError("%s: gave up after %d attempts: %s" % (self.url, rounds, reason))
            pause = wait if wait is not None else min(self.backoff * 2.0 ** (failures - 1), 60.0)
            self.log("%s: %s; attempt %d of %d in %.1f s" % (self.label, reason, failures + 1, self.retries + 1, pause))
            time.sleep(pause)

    def remembered(self):
        try:
            with open(self.note, encoding="utf-8") as f:
                note = json.load(f)
            return note if isinstance(note, dict) and note.get("url") == self.url else {}
        except (OSError, ValueError):
            return {}

    def request(self, offset):
        headers = dict(self.headers, **{"User-Agent": "serene-download/1", "Accept-Encoding": "identity"})
        if offset:
            headers["Range"] = "bytes=%d-" % offset
            validator = self.remembered().get("validator")
            if validator:
                headers["If-Range"] = validator
        return urllib.request.Request(self.url, headers=headers)

    def attempt(self, out):
        """True when the part is complete; False when the stream ended early."""
        offset = os.fstat(out.fileno()).st_size
        if offset and not self.remembered():
            # Nothing says which file this is a part of.
            offset = self.restart(out)
        if offset and self.size == offset:
            return True
        try:
            response = self.opener.open(self.request(offset), timeout=self.timeout)
        except urllib.error.HTTPError as e:
            with e:
                return self.refused(e, out, offset)
        with response:
            if response.status == 206:
                total = self.resumed_total(response, out, offset)
            else:
                offset = self.restart(out)
                length = response.headers.get("Content-Length", "")
                total = int(length) if length.isdigit() else None
            self.check_total(total, offset)
            self.remember(response)
            return self.copy(response, out, offset, total)

    def refused(self, error, out, offset):
        if error.code == 416 and offset:
            match = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            if match and int(match.group(1)) == offset:
                return True
            self.restart(out)
            raise _Retry("the server does not know this range; starting over", 0.0)
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _Retry("HTTP %d" % error.code, retry_after(error.headers))
        raise FetchError(human_status(error.code, self.url))

    def resumed_total(self, response, out, offset):
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not match or int(match.group(1)) != offset:
            self.restart(out)
            raise _Retry("the server answered another range; starting over", 0.0)
        return None if match.group(3) == "*" else int(match.group(3))

    def restart(self, out):
        out.truncate(0)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.note)
        return 0

    def check_total(self, total, offset):
        if self.size is not None and total is not None and total != self.size:
            raise FetchError("%s: the server offers %d bytes, expected %d" % (self.url, total, self.size))
        wanted = total if total is not None else self.size
        if wanted is not None and wanted > self.max_bytes:
            raise FetchError("%s: %d bytes are above the limit of %d" % (self.url, wanted, self.max_bytes))
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(self.path))).free
        if wanted is not None and wanted - offset + DISK_MARGIN > free:
            raise FetchError("%s: needs %.0f MB, the disk has %.0f MB free" % (
                self.path, (wanted - offset + DISK_MARGIN) / 1e6, free / 1e6))

    def remember(self, response):
        etag = response.headers.get("ETag", "")
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")
        temporary = self.note + ".tmp"
        with open(temporary, "w", encoding="utf-8") as f:
            json.dump({"url": self.url, "validator": validator}, f)
        os.replace(temporary, self.note)

    def copy(self, response, out, offset, total):
        progress = Progress(self.label, total, offset)
        limit = total if total is not None else (self.size if self.size is not None else self.max_bytes)
        try:
            while True:
                block = response.read(CHUNK)
                if not block:
                    break
                if progress.done + len(block) > limit:
                    self.restart(out)
                    raise FetchError("%s: sends more than the expected %d bytes" % (self.url, limit))
                out.write(block)
                progress.add(len(block))
        finally:
            out.flush()
            progress.close()
        return total is None or progress.done == total

    def discard(self, problem):
        for path in (self.part, self.note):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        raise FetchError(problem)

    def check(self):
        size = os.path.getsize(self.part)
        if self.size is not None and size != self.size:
            self.discard("%s: has %d bytes, expected %d; removed" % (self.part, size, self.size))
        for kind, wanted in self.checksums.items():
            got = digest(self.part, kind)
            if got != wanted.lower():
                self.discard("%s: %s is %s, expected %s; removed" % (self.part, kind, got, wanted))
