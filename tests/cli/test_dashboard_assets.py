"""The dashboard's files over the wire: compressed for who accepts it, and the same files either way."""
import gzip
import http.client
import json
import time
import unittest

from call_support import CallTest, address_of, need_server, replay_file, started
from support import LIMIT, SOURCE

ASSETS = SOURCE / "lib" / "serene" / "server" / "web" / "assets.txt"


def asset_paths() -> list:
    lines = [line.split() for line in ASSETS.read_text().splitlines() if line and not line.startswith("#")]
    return ["/" if path == "/index.html" else path for path, _ in lines]


class Assets(CallTest):
    def setUp(self):
        need_server(self)
        self.process = started("--replay", replay_file(), "--speed", "max", "--id", "a", "--web", "--port", "0", "--hold", "60",
                               "--headless", "--no-history", "--out", "off")
        self.addCleanup(self.stop)
        host = address_of(self.process).removeprefix("http://").rstrip("/")
        self.connection = http.client.HTTPConnection(host, timeout=20)

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.communicate(timeout=20)

    def ask(self, path: str, method="GET", **headers) -> tuple:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers={"Accept-Encoding": "identity"} | names)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def test_compressed_is_the_same_file(self):
        total = 0
        for path in asset_paths():
            plain, text = self.ask(path)
            self.assertEqual((plain.status, plain.getheader("Content-Encoding")), (200, None), path)
            packed, data = self.ask(path, Accept_Encoding="gzip, deflate, br")
            self.assertEqual(packed.status, 200)
            total += len(data)
            if packed.getheader("Content-Encoding") is None:
                self.assertEqual(data, text)
                continue
            self.assertEqual(packed.getheader("Content-Encoding"), "gzip")
            self.assertEqual(gzip.decompress(data), text, path)
            self.assertEqual(data[4:8], bytes(4), "the time of the build is told")
            self.assertLess(len(data), len(text))
            self.assertNotEqual(packed.getheader("ETag"), plain.getheader("ETag"))
            for answer in (plain, packed):
                self.assertEqual(answer.getheader("Vary"), "Accept-Encoding")
            self.assertEqual(packed.getheader("Content-Type"), plain.getheader("Content-Type"))
        self.assertLess(total, 100_000)

    def test_each_form_has_its_own_name_and_head(self):
        for encoding in ("identity", "gzip"):
            answer, data = self.ask("/assets/app.js", Accept_Encoding=encoding)
            head, nothing = self.ask("/assets/app.js", "HEAD", Accept_Encoding=encoding)
            self.assertEqual(nothing, b"")
            self.assertEqual(head.getheaders(), answer.getheaders())
            self.assertEqual(int(head.getheader("Content-Length")), len(data))
            tag = answer.getheader("ETag")
            again, nothing = self.ask("/assets/app.js", Accept_Encoding=encoding, If_None_Match=f'"x", W/{tag}')
            self.assertEqual((again.status, nothing, again.getheader("ETag")), (304, b"", tag))
            self.assertEqual(again.getheader("Vary"), "Accept-Encoding")
            other = "gzip" if encoding == "identity" else "identity"
            self.assertEqual(self.ask("/assets/app.js", Accept_Encoding=other, If_None_Match=tag)[0].status, 200)

    def test_answers_about_calls_stay_plain(self):
        end = time.monotonic() + LIMIT
        while self.ask("/api/calls/a")[0].status != 200 and time.monotonic() < end:
            time.sleep(0.02)  # the address is said before the call begins
        for path in ("/api/calls", "/api/calls/a"):
            answer, data = self.ask(path, Accept_Encoding="gzip")
            self.assertIsNone(answer.getheader("Content-Encoding"))
            self.assertTrue(json.loads(data)["boot"])


if __name__ == "__main__":
    unittest.main()
