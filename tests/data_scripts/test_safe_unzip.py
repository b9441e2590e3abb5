"""data_scripts/safe_unzip.py with hostile archives."""
import os
import shutil
import stat
import struct
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "data_scripts"))
import safe_unzip  # noqa: E402
from loopback_server import zip_bytes  # noqa: E402


def wav_only(base):
    return base if base.endswith(".wav") else None


class SafeUnzip(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="serene_unzip_")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.folder = os.path.join(self.home, "inside", "out")
        os.makedirs(os.path.dirname(self.folder))

    def extract(self, data, **options):
        path = os.path.join(self.home, "a.zip")
        with open(path, "wb") as f:
            f.write(data)
        return safe_unzip.extract(path, self.folder, wav_only, **options)

    def refuse(self, data, text, **options):
        before = self.listing()
        with self.assertRaises(safe_unzip.UnzipError) as caught:
            self.extract(data, **options)
        self.assertIn(text, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(self.listing(), before, "something was left behind")

    def listing(self):
        return sorted(n for _, dirs, names in os.walk(self.home) for n in dirs + names if n != "a.zip")

    def test_good_archive(self):
        data = zip_bytes([("x/a.wav", b"1"), ("b.wav", b"22"), ("c.txt", b"no"), ("x/", b"")])
        self.assertEqual(self.extract(data), (2, 0))
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.wav", "b.wav"])

    def test_unsafe_names(self):
        for name, text in (("../a.wav", "leaves"), ("x/../../a.wav", "leaves"), ("/etc/a.wav", "absolute"),
                           ("C:/a.wav", "drive"), ("c:a.wav", "drive"), ("x\\..\\a.wav", "backslash"),
                           ("a\nb.wav", "control")):
            info = zipfile.ZipInfo("plain.wav")
            info.filename = info.orig_filename = name
            self.refuse(zip_bytes([("ok.wav", b"1"), (info, b"2")]), text)

    def test_links_and_special_files(self):
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR):
            info = zipfile.ZipInfo("link.wav")
            info.create_system, info.external_attr = 3, (kind | 0o777) << 16
            self.refuse(zip_bytes([(info, b"/etc/passwd")]), "a link or special file")

    def test_ratio(self):
        self.refuse(zip_bytes([("a.wav", bytes(4 << 20))]), "times its size")

    def test_total(self):
        self.refuse(zip_bytes([("%d.wav" % i, os.urandom(2000)) for i in range(10)]), "more than 10000",
                    max_total=10000)

    def test_count(self):
        with mock.patch.object(safe_unzip, "MAX_ENTRIES", 5):
            self.refuse(zip_bytes([("%d.wav" % i, b"") for i in range(6)]), "6 entries")

    def test_entry_longer_than_it_claims(self):
        data = bytearray(zip_bytes([("a.wav", os.urandom(5000))], zipfile.ZIP_DEFLATED))
        central = data.index(b"PK\x01\x02")
        struct.pack_into("<I", data, central + 24, 100)
        with self.assertRaises(safe_unzip.UnzipError):
            self.extract(bytes(data))
        self.assertFalse(os.path.exists(self.folder))

    def test_overlapping_entries(self):
        data = bytearray(zip_bytes([("a.wav", os.urandom(3000)), ("b.wav", os.urandom(3000))], zipfile.ZIP_STORED))
        first = data.index(b"PK\x01\x02")
        second = data.index(b"PK\x01\x02", first + 4)
        for at in (first, second):
            struct.pack_into("<II", data, at + 20, 900000, 900000)
        self.refuse(bytes(data), "overlap")

    def test_encrypted(self):
        data = bytearray(zip_bytes([("a.wav", b"x")]))
        data[data.index(b"PK\x01\x02") + 8] |= 1
        self.refuse(bytes(data), "encrypted")

    def test_copies(self):
        self.assertEqual(self.extract(zip_bytes([("n/n/a.wav", b"1"), ("n/a.wav", b"1")])), (1, 1))
        shutil.rmtree(self.folder)
        self.refuse(zip_bytes([("n/a.wav", b"2"), ("a.wav", b"1")]), "different content")
        self.refuse(zip_bytes([("A.wav", b"2"), ("a.wav", b"1")]), "different content")

    def test_existing_folder_is_not_touched(self):
        os.makedirs(os.path.join(self.folder, "keep"))
        self.refuse(zip_bytes([("a.wav", b"1")]), "exists")

    def test_damage_never_crashes(self):
        whole = zip_bytes([("x/%d.wav" % i, os.urandom(300)) for i in range(3)])
        self.refuse(b"", "not a usable")
        for cut in range(1, len(whole), 97):
            with self.assertRaises(safe_unzip.UnzipError):
                self.extract(whole[:cut])
        for at in range(0, len(whole), 23):
            damaged = bytearray(whole)
            damaged[at] ^= 0x55
            try:
                self.extract(bytes(damaged))
            except safe_unzip.UnzipError:
                self.assertFalse(os.path.exists(self.folder))
            shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
