"""serene augment: recordings, pictures and the page that shows them."""
import html.parser
import json
import struct
import wave
import zlib

import support
from support import SMOKE, CliTest, serene


class Page(html.parser.HTMLParser):
    """Files that a page refers to, its texts, and whether its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.open, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words += data


def png_pixels(data):
    """(width, height, rows) of an 8-bit picture with a palette; checks every chunk's sum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    raw = zlib.decompress(chunks[b"IDAT"])
    rows = [raw[i * (width + 1) + 1:(i + 1) * (width + 1)] for i in range(height)]
    return width, height, rows


def samples_of(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), file.readframes(file.getnframes())


class AugmentTest(CliTest):
    OPTIONS = {"tempo": [0.7, 0.8], "mel_shift": 2, "time_masks": 1,
               "wave": {"noise_probability": 1, "telephone_probability": 0.5, "gain_db": 3}}

    def options(self, section=None):
        path = self.new_path("options.json")
        path.write_text(json.dumps(self.OPTIONS if section is None else section))
        return path

    def test_each_kind_without_a_config(self):
        folder = self.new_path("heard")
        result = self.ok("augment", support.a_clip(), "--listen", folder, "--each")
        self.assertIn("index.html", result.out)
        page = Page((folder / "index.html").read_text())
        self.assertEqual(page.open, [])
        names = sorted(p.name for p in folder.iterdir())
        self.assertEqual(sorted(page.sources + ["index.html"]), names)
        stem = support.a_clip().stem
        kinds = ["plain", "pitch", "room", "white-noise", "pink-noise", "babble-noise", "level", "telephone", "tempo",
                 "mel-shift", "tilt", "time-masks", "frequency-masks"]
        self.assertEqual(sorted(f"{stem}-{kind}{end}" for kind in kinds for end in (".wav", ".png")) + ["index.html"],
                         sorted(n for n in names if n != "index.html") + ["index.html"])
        plain = samples_of(folder / f"{stem}-plain.wav")
        self.assertEqual(plain[0], 16000)
        plain_picture = png_pixels((folder / f"{stem}-plain.png").read_bytes())
        self.assertEqual(plain_picture[1], 64)
        for kind in kinds[1:]:
            rate, samples = samples_of(folder / f"{stem}-{kind}.wav")
            self.assertEqual((rate, len(samples)), (16000, len(plain[1])), kind)
            heard = kind in kinds[1:8]
            self.assertEqual(samples != plain[1], heard, kind)
            self.assertNotEqual(png_pixels((folder / f"{stem}-{kind}.png").read_bytes()), plain_picture, kind)
        for words in ("not to be heard", "semitones", "room with a reverberation", "babble noise", "telephone line",
                      "tempo ×", "To see alone", "To hear and to see", "unchanged"):
            self.assertIn(words, page.words)

    def test_copies_of_a_section_are_the_same_for_any_threads(self):
        clips = [support.a_clip(1), support.a_clip(2)]
        first, second, other = (self.new_path(name) for name in ("first", "second", "other"))
        for folder, threads in ((first, 1), (second, 3)):
            self.ok("augment", *clips, "--options", self.options(), "--listen", folder, "--copies", 3, "--threads", threads)
        self.assert_same_tree(first, second)
        self.assertEqual(len(list(first.glob("*.wav"))), 8)
        self.ok("augment", *clips, "--options", self.options(), "--listen", other, "--copies", 3, "--seed", 9)
        name = f"{clips[0].stem}-1.wav"
        self.assertNotEqual((first / name).read_bytes(), (other / name).read_bytes())
        wide, plain = (png_pixels((first / f"{clips[0].stem}-{kind}.png").read_bytes())[0] for kind in ("1", "plain"))
        self.assertGreater(wide, plain * 1.2)  # slower

    def test_settings_of_a_config(self):
        folder = self.new_path("config")
        wave_on = 'data.augment={"wave": {"pitch_probability": 1}}'
        self.ok("augment", SMOKE, support.a_clip(), "--set", wave_on, "--listen", folder, "--copies", 1)
        self.assertEqual(len(list(folder.glob("*.wav"))), 2)
        self.assertIn("semitones", (folder / "index.html").read_text())
        self.refuses(1, ["data.augment", "nothing is turned on"], "augment", SMOKE, support.a_clip(), "--set", "data.augment={}",
                     "--listen", self.new_path("none"))

    def test_recordings_that_cannot_be_read_are_named_and_the_others_shown(self):
        bad = support.bad_recordings()
        folder = self.new_path("bad")
        one = support.wav(self.new_path("one.wav"), [0.5])
        silent = support.wav(self.new_path("silent.wav"), [0.0] * 4000)
        result = serene("augment", support.a_clip(), *bad, one, silent, "--listen", folder, "--each")
        self.assertEqual(result.code, 2, result)
        lines = result.err.splitlines()
        self.assertEqual(len(lines), len(bad), result)
        for path in bad:
            self.assertTrue(any(line.startswith(f"serene: {path}: ") for line in lines), path)
        page = (folder / "index.html").read_text()
        for path in (support.a_clip(), one, silent):
            self.assertIn(path.name, page)
        self.assertNotRegex(page, r"(?i)\b(nan|inf)\b")

    def test_wrong_usage(self):
        clip = support.a_clip()
        self.refuses(1, ["--listen DIR"], "augment", clip)
        self.refuses(1, ["audio file"], "augment", SMOKE, "--listen", "x")
        self.refuses(1, ["--copies", "1..1000", "0"], "augment", clip, "--listen", "x", "--copies", 0)
        self.refuses(1, ["--options", "stands beside a config"], "augment", SMOKE, clip, "--listen", "x", "--options", self.options())
        self.refuses(1, ["--set", "needs a config"], "augment", clip, "--listen", "x", "--set", "seed=3")
        self.refuses(1, ["has the name of"], "augment", clip, clip, "--listen", "x")
        self.refuses(2, [self.options({"wave": {"nois": 1}}), "wave.nois"], "augment", clip, "--listen", "x",
                     "--options", self.options({"wave": {"nois": 1}}))


class WaveTrainingTest(CliTest):
    def test_train_and_resume_with_changed_recordings(self):
        wave_on = ('--set=data.augment.wave={"noise_probability": 0.5, "reverberation_probability": 0.5, "gain_db": 3}',
                   "--set=data.balance=class")
        whole, parts = self.new_path("whole"), self.new_path("parts")
        self.ok(*support.on_corpus("train", SMOKE, "--run", whole, *support.SMALL, *wave_on, "--set=train.epochs=2"))
        self.ok(*support.on_corpus("train", SMOKE, "--run", parts, *support.SMALL, *wave_on, "--set=train.epochs=1", threads=1))
        self.ok(*support.on_corpus("train", "--resume", "--run", parts, "--set=train.epochs=2"))
        for name in ("best.safetensors", "predictions.json"):
            self.assertEqual((whole / name).read_bytes(), (parts / name).read_bytes(), name)
