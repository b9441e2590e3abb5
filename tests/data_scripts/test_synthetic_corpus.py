"""data_scripts/synthetic_corpus.py: names, format, determinism and honest labelling."""
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import unittest
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "data_scripts"))
import download  # noqa: E402
import synthetic_corpus as maker  # noqa: E402


class Plan(unittest.TestCase):
    def test_names_follow_the_grammar(self):
        for intensities, count in ((1, 32), (2, 60)):
            names = [n for a in range(1, 25) for n, _ in maker.clips_of(a, intensities)]
            self.assertEqual(len(set(names)), 24 * count)
            for name in names:
                self.assertEqual(download.CORPORA["ravdess"].target_of(name), "Actor_%s/%s" % (name[18:20], name))
                self.assertFalse(re.match(r"03-01-01-02", name), "there is no strong neutral")

    def test_settings_are_fixed_and_in_range(self):
        for actor in (1, 2, 24):
            for name, chosen in maker.clips_of(actor, 2):
                self.assertTrue(80 <= chosen["speed"] <= 320 and 0 <= chosen["pitch"] <= 99, name)
                self.assertTrue(20 <= chosen["amplitude"] <= 200, name)
        self.assertEqual(list(maker.clips_of(3, 2)), list(maker.clips_of(3, 2)))

    def test_voices(self):
        self.assertTrue(all("+m" in maker.voice_of(a) for a in range(1, 25, 2)))
        self.assertTrue(all("+f" in maker.voice_of(a) for a in range(2, 25, 2)))

    def test_rate_change_keeps_a_constant_and_the_length(self):
        out = maker.to_16k([1000] * 2205, maker.kernel_table())
        self.assertEqual(len(out), 1600)
        self.assertTrue(all(abs(v - 1000) <= 1 for v in out[50:-50]))


@unittest.skipUnless(shutil.which("espeak-ng"), "espeak-ng is not installed")
class Files(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="serene_synthetic_")
        self.addCleanup(shutil.rmtree, self.home, True)

    def run_main(self, *arguments):
        self.err = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(self.err):
            return maker.main(list(arguments))

    def test_corpus(self):
        first, second = os.path.join(self.home, "a"), os.path.join(self.home, "b")
        self.assertEqual(self.run_main(first, "--actors", "1", "--jobs", "1"), 0, self.err.getvalue())
        self.assertEqual(self.run_main(second, "--actors", "1", "--jobs", "2"), 0, self.err.getvalue())
        names = sorted(os.listdir(os.path.join(first, "Actor_01")))
        self.assertEqual(len(names), 32)
        for name in names:
            with wave.open(os.path.join(first, "Actor_01", name)) as w:
                self.assertEqual((w.getframerate(), w.getsampwidth(), w.getnchannels()), (16000, 2, 1))
                self.assertTrue(8000 < w.getnframes() < 100000, name)
                sound = w.readframes(w.getnframes())
            self.assertGreater(len(set(sound)), 50, name + " is silent")
            with open(os.path.join(first, "Actor_01", name), "rb") as f, \
                    open(os.path.join(second, "Actor_01", name), "rb") as g:
                self.assertEqual(f.read(), g.read(), name)
        with open(os.path.join(first, "README.txt"), encoding="utf-8") as f:
            text = f.read()
        self.assertTrue(text.startswith("SYNTHETIC CORPUS"))
        self.assertIn("No person speaks here", text)
        self.assertEqual(self.run_main(first), 0)
        self.assertIn("already there", self.err.getvalue())

    def test_foreign_folder_is_refused(self):
        with open(os.path.join(self.home, "mine.txt"), "w", encoding="utf-8") as f:
            f.write("x")
        self.assertEqual(self.run_main(self.home), 2)
        self.assertEqual(os.listdir(self.home), ["mine.txt"])

    def test_missing_program(self):
        self.assertEqual(self.run_main(os.path.join(self.home, "x"), "--espeak", "no-such-program"), 2)
        self.assertIn("not found", self.err.getvalue())


if __name__ == "__main__":
    unittest.main()
