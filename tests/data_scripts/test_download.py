"""data_scripts/download.py against a loopback server; no other host is ever contacted."""
import base64
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "data_scripts"))
import download  # noqa: E402
import http_fetch  # noqa: E402
from loopback_server import Site, zip_bytes  # noqa: E402

NAMES = ["03-01-01-01-01-01-01.wav", "03-01-05-02-02-02-02.wav", "03-01-08-01-01-02-24.wav"]
CLIPS = {n: (n * 900).encode() for n in NAMES}
ZENODO_PATH = download.CORPORA["ravdess"].zenodo
KAGGLE_PATH = "/api/v1/datasets/download/" + download.CORPORA["ravdess"].kaggle


def folder_of(name):
    return "Actor_%s/%s" % (name[18:20], name)


def archive(nested=False):
    entries = [(folder_of(n), d) for n, d in CLIPS.items()] + [("notes.txt", b"hello")]
    if nested:
        entries += [("audio_speech_actors_01-24/" + folder_of(n), d) for n, d in CLIPS.items()]
    return zip_bytes(entries, 0)


class DownloadCase(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="serene_download_")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.dest = os.path.join(self.home, "data")
        self.zip = archive()
        self.site = Site({ZENODO_PATH: self.zip, KAGGLE_PATH: self.zip})
        self.addCleanup(self.site.close)
        small = dataclasses.replace(download.CORPORA["ravdess"], clips=3, zenodo_size=len(self.zip),
                                    zenodo_md5=hashlib.md5(self.zip).hexdigest(), max_bytes=1 << 20)
        changed = dict(download.CORPORA, ravdess=small)
        patch = mock.patch.object(download, "CORPORA", changed)
        patch.start()
        self.addCleanup(patch.stop)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "SERENE"))
                 and not k.lower().endswith("_proxy")}
        environment = mock.patch.dict(os.environ, dict(clean, HOME=self.home, SERENE_ZENODO_URL=self.site.url,
                                                       SERENE_KAGGLE_URL=self.site.url, no_proxy="*"), clear=True)
        environment.start()
        self.addCleanup(environment.stop)

    def run_main(self, *arguments, corpus="ravdess"):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = download.main([corpus, "--dest", self.dest, "--backoff", "0.01", "--timeout", "5", *arguments])
            except SystemExit as e:
                code = e.code
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def assert_installed(self):
        for name, data in CLIPS.items():
            with open(os.path.join(self.dest, "ravdess", folder_of(name)), "rb") as f:
                self.assertEqual(f.read(), data)
        self.assertEqual(os.listdir(self.dest), ["ravdess"], "archive, parts or temporary folders left behind")

    def assert_failed(self, text, code=2):
        self.assertIn(text, self.err)
        self.assertEqual(len([line for line in self.err.splitlines() if "error:" in line]), 1, self.err)
        self.assertFalse(os.path.exists(os.path.join(self.dest, "ravdess")))
        self.assertEqual(code, 2)


class Transfer(DownloadCase):
    def test_full_download(self):
        self.assertEqual(self.run_main(), 0, self.err)
        self.assert_installed()
        self.assertEqual(self.out.strip(), os.path.join(self.dest, "ravdess"))
        self.assertIn("CC BY-NC-SA", self.err)

    def test_second_call_does_nothing(self):
        self.assertEqual(self.run_main(), 0, self.err)
        count = len(self.site.seen)
        self.assertEqual(self.run_main(), 0)
        self.assertIn("already there", self.err)
        self.assertEqual(len(self.site.seen), count)

    def test_cut_connection_is_resumed(self):
        self.site.script = [("cut", 5000), ("cut", 100)]
        self.assertEqual(self.run_main(), 0, self.err)
        self.assert_installed()
        ranges = [h.get("range") for _, h in self.site.seen]
        self.assertEqual(ranges, [None, "bytes=5000-", "bytes=5100-"])
        self.assertEqual(self.site.seen[1][1]["if-range"], '"v1"')

    def test_next_call_resumes(self):
        self.site.script = [("cut", 7000), 503, 503]
        self.assertEqual(self.run_main("--retries", "1"), 2)
        self.assertIn("gave up", self.err)
        self.assertEqual(self.run_main(), 0, self.err)
        self.assertEqual(self.site.seen[-1][1]["range"], "bytes=7000-")
        self.assert_installed()

    def test_changed_file_starts_over(self):
        self.site.script = [("cut", 7000)]
        self.assertEqual(self.run_main("--source", "kaggle", "--retries", "0"), 2)
        self.site.etag = '"v2"'
        self.site.files[KAGGLE_PATH] = zip_bytes([("new/" + folder_of(n), d) for n, d in sorted(CLIPS.items())], 0)
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assertEqual(self.site.seen[-1][1]["range"], "bytes=7000-")
        self.assert_installed()

    def test_server_without_ranges(self):
        self.site.script = [("cut", 5000), "no-range"]
        self.assertEqual(self.run_main(), 0, self.err)
        self.assert_installed()

    def test_wrong_range_starts_over(self):
        self.site.script = [("cut", 5000), "wrong-range"]
        self.assertEqual(self.run_main(), 0, self.err)
        self.assert_installed()

    def test_range_beyond_the_end_starts_over(self):
        os.makedirs(self.dest)
        part = os.path.join(self.dest, "ravdess-kaggle.zip.part")
        with open(part, "wb") as f:
            f.write(b"x" * (len(self.zip) + 50))
        with open(part + ".json", "w", encoding="utf-8") as f:
            json.dump({"url": self.site.url + KAGGLE_PATH, "validator": '"v1"'}, f)
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assert_installed()

    def test_part_of_unknown_origin_is_not_used(self):
        os.makedirs(self.dest)
        with open(os.path.join(self.dest, "ravdess-zenodo.zip.part"), "wb") as f:
            f.write(b"not a part of it")
        self.assertEqual(self.run_main(), 0, self.err)
        self.assertNotIn("range", self.site.seen[0][1])

    def test_errors_then_success(self):
        self.site.script = [500, ("retry-after", 429, "0"), 503, 502]
        self.assertEqual(self.run_main(), 0, self.err)
        self.assert_installed()
        self.assertIn("HTTP 429", self.err)

    def test_final_errors(self):
        for status, text in ((401, "not authorised"), (403, "forbidden"), (404, "not found")):
            self.site.seen.clear()
            self.site.script = [status]
            self.assert_failed_run(text)
            self.assertEqual(len(self.site.seen), 1, "an error that stays must not be tried again")

    def assert_failed_run(self, text, *arguments):
        code = self.run_main(*arguments)
        self.assert_failed(text, code)

    def test_gives_up(self):
        self.site.script = [500] * 10
        self.assert_failed_run("gave up after 3 attempts", "--retries", "2")

    def test_nobody_listens(self):
        self.site.close()
        self.assert_failed_run("gave up", "--retries", "1")

    def test_wrong_md5(self):
        flipped = bytearray(self.zip)
        flipped[len(flipped) // 2] ^= 1
        self.site.files[ZENODO_PATH] = bytes(flipped)
        self.assert_failed_run("md5 is")
        self.assertEqual(os.listdir(self.dest), [])

    def test_wrong_size(self):
        self.site.files[ZENODO_PATH] = self.zip + b"more"
        self.assert_failed_run("expected %d" % len(self.zip))

    def test_limit_of_bytes(self):
        self.site.files[KAGGLE_PATH] = b"PK" + bytes(2 << 20)
        self.assert_failed_run("above the limit", "--source", "kaggle")

    def test_full_disk(self):
        usage = shutil.disk_usage(self.home)._replace(free=1000)
        with mock.patch.object(http_fetch.shutil, "disk_usage", return_value=usage):
            self.assert_failed_run("free")

    def test_web_page_instead_of_archive(self):
        self.site.script = ["html"]
        self.assert_failed_run("web page", "--source", "kaggle")

    def test_usage_errors(self):
        self.assertEqual(self.run_main(corpus="nonsense"), 1)
        self.assertEqual(self.run_main("--retries", "many"), 1)
        self.assertEqual(self.run_main("--source", "zenodo", corpus="tess"), 2)
        self.assertIn("not on Zenodo", self.err)


class Redirects(DownloadCase):
    def setUp(self):
        super().setUp()
        self.storage = Site({"/blob": self.zip})
        self.addCleanup(self.storage.close)
        os.environ.update(KAGGLE_USERNAME="someone", KAGGLE_KEY="secret")

    def test_authorization_stays_with_its_host(self):
        self.site.script = [("redirect", self.storage.url + "/blob")]
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assert_installed()
        expected = "Basic " + base64.b64encode(b"someone:secret").decode()
        self.assertEqual(self.site.seen[0][1]["authorization"], expected)
        self.assertNotIn("authorization", self.storage.seen[0][1])
        self.assertNotIn("secret", self.err)

    def test_same_host_keeps_authorization(self):
        self.site.files["/other"] = self.zip
        self.site.script = [("redirect", self.site.url + "/other")]
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assertIn("authorization", self.site.seen[1][1])

    def test_resume_behind_a_redirect(self):
        self.site.script = [("redirect", self.storage.url + "/blob")] * 2
        self.storage.script = [("cut", 4000)]
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assertEqual(self.storage.seen[1][1]["range"], "bytes=4000-")
        self.assert_installed()

    def test_other_scheme_is_refused(self):
        self.site.script = [("redirect", "ftp://127.0.0.1/blob")]
        self.assertEqual(self.run_main("--source", "kaggle", "--retries", "0"), 2)

    def test_credentials_need_https(self):
        self.assertEqual(self.run_main("--source", "kaggle", "--base-url", "http://kaggle.invalid"), 2)
        self.assertIn("https only", self.err)


class Credentials(DownloadCase):
    def write(self, name, text, mode=0o600):
        folder = os.path.join(self.home, ".kaggle")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    def sent(self):
        self.assertEqual(self.run_main("--source", "kaggle", "--force"), 0, self.err)
        return self.site.seen[-1][1].get("authorization")

    def test_none(self):
        self.assertIsNone(self.sent())

    def test_order(self):
        self.write("kaggle.json", '{"username": "file", "key": "k"}')
        self.assertEqual(self.sent(), "Basic " + base64.b64encode(b"file:k").decode())
        self.write("access_token", "tok\n")
        self.assertEqual(self.sent(), "Bearer tok")
        os.environ.update(KAGGLE_USERNAME="env", KAGGLE_KEY="e")
        self.assertEqual(self.sent(), "Basic " + base64.b64encode(b"env:e").decode())
        os.environ["KAGGLE_API_TOKEN"] = "first"
        self.assertEqual(self.sent(), "Bearer first")

    def test_config_dir_and_warning(self):
        self.write("kaggle.json", '{"username": "u", "key": "hidden"}', 0o644)
        self.sent()
        self.assertIn("can be read by others", self.err)
        self.assertNotIn("hidden", self.err)
        os.environ["KAGGLE_CONFIG_DIR"] = os.path.join(self.home, "empty")
        self.assertIsNone(self.sent())

    def test_bad_files(self):
        for text in ("not json", "[]", '{"username": "u"}', '{"username": 1, "key": "k"}'):
            self.write("kaggle.json", text)
            self.assertEqual(self.run_main("--source", "kaggle"), 2, text)
            self.assertIn("kaggle.json", self.err)
        os.remove(os.path.join(self.home, ".kaggle", "kaggle.json"))
        os.environ["KAGGLE_USERNAME"] = "alone"
        self.assertEqual(self.run_main("--source", "kaggle", "--force"), 2)
        os.environ.update(KAGGLE_USERNAME="", KAGGLE_API_TOKEN="a\r\nX: y")
        self.assertEqual(self.run_main("--source", "kaggle", "--force"), 2)


class Content(DownloadCase):
    def serve(self, data):
        self.site.files[KAGGLE_PATH] = data

    def test_nested_copies_are_dropped(self):
        self.serve(archive(nested=True))
        self.assertEqual(self.run_main("--source", "kaggle"), 0, self.err)
        self.assert_installed()
        self.assertIn("3 nested copies dropped", self.err)

    def test_missing_clips(self):
        self.serve(zip_bytes([(folder_of(NAMES[0]), b"x")]))
        self.assertEqual(self.run_main("--source", "kaggle"), 2)
        self.assertIn("holds 1 of 3 clips", self.err)
        self.assertEqual(self.run_main("--source", "kaggle", "--allow-incomplete"), 0, self.err)

    def test_incomplete_folder_is_kept(self):
        place = os.path.join(self.dest, "ravdess", "Actor_01")
        os.makedirs(place)
        with open(os.path.join(place, NAMES[0]), "w", encoding="utf-8") as f:
            f.write("mine")
        self.assertEqual(self.run_main(), 2)
        self.assertIn("--force", self.err)
        self.assertTrue(os.path.isfile(os.path.join(place, NAMES[0])))
        self.assertEqual(self.run_main("--force"), 0, self.err)
        self.assert_installed()

    def checksums(self, change=None):
        folder = os.path.join(self.home, "lists")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "ravdess_speech.sha256"), "w", encoding="utf-8") as f:
            for name, data in CLIPS.items():
                value = hashlib.sha256(data if name != change else b"other").hexdigest()
                f.write("%s  %s  %d\n" % (value, name, len(data)))
        return folder

    def test_per_file_list(self):
        self.assertEqual(self.run_main("--checksums", self.checksums()), 0, self.err)
        self.assertIn("all 3 clips agree", self.err)

    def test_per_file_difference(self):
        self.assertEqual(self.run_main("--checksums", self.checksums(NAMES[1])), 2)
        self.assertIn("Actor_02/%s differs" % NAMES[1], self.err)
        self.assertFalse(os.path.exists(os.path.join(self.dest, "ravdess")))

    def test_bad_list(self):
        folder = self.checksums()
        with open(os.path.join(folder, "ravdess_speech.sha256"), "w", encoding="utf-8") as f:
            f.write("nonsense\n")
        self.assertEqual(self.run_main("--checksums", folder), 2)
        self.assertIn("line 1", self.err)
        self.assertEqual(self.run_main("--checksums", folder + "_none"), 2)

    def test_damaged_archive(self):
        data = bytearray(archive())
        data[200] ^= 0xFF
        self.serve(bytes(data))
        self.assertEqual(self.run_main("--source", "kaggle"), 2)
        self.serve(archive()[:-40])
        shutil.rmtree(self.dest)
        self.assertEqual(self.run_main("--source", "kaggle"), 2)
        self.assertIn("not a usable ZIP", self.err)


if __name__ == "__main__":
    unittest.main()
