"""What the tests of the command line share: the program, a small synthetic corpus and one trained run.

The program is named by the environment variable SERENE_BIN. Everything is made in one temporary folder that goes away at the end.
"""
import array
import atexit
import functools
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
import wave

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SMOKE = SOURCE / "configs" / "smoke.json"
RATE = 16000
ACTORS = 6
EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
EPOCHS = 3
LIMIT = 120  # seconds after which a command counts as hanging

# A fixed small split: speaker 06 tests, 05 validates.
SMALL = [f"--set=train.epochs={EPOCHS}", '--set=split.test_speakers=["06"]', '--set=split.validation_speakers=["05"]']


@functools.cache
def temp() -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="serene-cli-"))
    atexit.register(shutil.rmtree, folder, True)
    return folder


def program() -> str:
    path = os.environ.get("SERENE_BIN", "")
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError("set SERENE_BIN to the program serene")
    return path


def environment() -> dict:
    env = {k: v for k, v in os.environ.items() if k not in ("SERENE_DATA", "XDG_CACHE_HOME")}
    return env | {"HOME": str(temp() / "home"), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


class Result:
    def __init__(self, done: subprocess.CompletedProcess):
        self.code = done.returncode
        self.out = (done.stdout or b"").decode("utf-8")
        self.err = (done.stderr or b"").decode("utf-8")

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out[:3000]}\n--- stderr\n{self.err[:3000]}"


def serene(*args, cwd=None, stdout=subprocess.PIPE, **variables) -> Result:
    """variables: of the environment, beside the usual ones."""
    work = temp() / "work"
    work.mkdir(exist_ok=True)
    return Result(subprocess.run([program(), *map(str, args)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                                 cwd=cwd or work, env=environment() | variables, timeout=LIMIT))


def on_corpus(command: str, *args, data=None, threads=2) -> list:
    """Arguments of a command that reads the corpus."""
    return [command, *args, "--data", str(data or corpus()), "--cache", str(temp() / "cache"), "--threads", str(threads)]


# Recordings


def voice(emotion: int, actor: int, take: int, seconds: float = 0.6) -> list:
    """Harmonics whose pitch, vibrato and roughness tell the emotion, and whose base tells the actor."""
    noise = random.Random(emotion * 1000 + actor * 10 + take)
    base = 110 + 14 * actor + 22 * emotion
    loud, rough, vibrato = 0.15 + 0.05 * (emotion % 3), 0.004 * emotion, 2 + emotion
    samples = []
    for i in range(int(seconds * RATE)):
        t = i / RATE
        phase = 2 * math.pi * base * t + 0.6 * math.sin(2 * math.pi * vibrato * t + take)
        samples.append(loud * (math.sin(phase) + 0.5 * math.sin((2 + emotion % 4) * phase)) + noise.gauss(0, 0.003 + rough))
    return samples


def wav(path, samples, rate=RATE):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(array.array("h", [int(max(-1.0, min(1.0, s)) * 32767) for s in samples]).tobytes())
    return path


def float_wav(path, samples, rate=RATE):
    data = struct.pack(f"<{len(samples)}f", *samples)
    form = struct.pack("<HHIIHH", 3, 1, rate, 4 * rate, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    pathlib.Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def clip_path(emotion: int, actor: int, take: int) -> str:
    return f"Actor_{actor:02d}/03-01-{emotion + 1:02d}-01-01-{take:02d}-{actor:02d}.wav"


@functools.cache
def corpus() -> pathlib.Path:
    """The folder that --data takes; the clips lie in its folder ravdess."""
    root = temp() / "data"
    for actor in range(1, ACTORS + 1):
        for emotion in range(len(EMOTIONS)):
            for take in (1, 2):
                wav(root / "ravdess" / clip_path(emotion, actor, take), voice(emotion, actor, take))
    return root


def a_clip(emotion=4, actor=6, take=1) -> pathlib.Path:
    return corpus() / "ravdess" / clip_path(emotion, actor, take)


# Hostile recordings, each with a word that its error must hold


def bad_recordings() -> dict:
    folder = temp() / "bad"
    folder.mkdir(exist_ok=True)
    good = a_clip().read_bytes()

    def put(name, data):
        (folder / name).write_bytes(data)
        return folder / name

    nothing = wav(folder / "no_samples.wav", [])
    (folder / "folder.wav").mkdir(exist_ok=True)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    return {
        folder / "missing.wav": "",
        put("empty.wav", b""): "empty",
        put("truncated.wav", good[:1000]): "",
        put("header_only.wav", good[:20]): "",
        nothing: "",
        float_wav(folder / "nan.wav", [0.1] * 4000 + [math.nan] + [0.1] * 4000): "",
        float_wav(folder / "infinite.wav", [0.1] * 4000 + [math.inf] + [0.1] * 4000): "",
        put("text.wav", b"This is no recording, only words.\n" * 40): "",
        put("pointer.wav", pointer): "LFS",
        folder / "folder.wav": "",
    }


# One trained run for all tests that only read it


@functools.cache
def trained() -> tuple:
    """(run folder, result of the command that made it)"""
    run = temp() / "trained"
    result = serene(*on_corpus("train", SMOKE, "--run", run, *SMALL))
    if result.code != 0:
        raise AssertionError(f"training failed: {result!r}")
    return run, result


def tree(folder) -> dict:
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class CliTest(unittest.TestCase):
    maxDiff = 4000

    def new_path(self, name: str) -> pathlib.Path:
        return temp() / f"{self.id().split('.', 1)[-1]}-{name}"

    def ok(self, *args, **more) -> Result:
        result = serene(*args, **more)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("serene: ", result.err, result)
        return result

    def one_error(self, result: Result, code: int, *words):
        """The command failed with this code and exactly one error line that holds the words."""
        self.assertEqual(result.code, code, result)
        errors = [line for line in result.err.splitlines() if line.startswith("serene: ")]
        self.assertEqual(len(errors), 1, result)
        self.assertTrue(result.err.endswith("\n"), result)
        self.assertEqual(result.err.splitlines()[-1], errors[0], "the error stands last: " + repr(result))
        self.assertNotRegex(result.err, r"terminate called|what\(\)|std::|json\.exception|\.cpp:|internal error")
        for word in words:
            self.assertIn(str(word), errors[0])
        return errors[0]

    def refuses(self, code: int, words, *args, **more) -> str:
        """As one_error, for a command that fails before it has anything to say: nothing else is printed."""
        result = serene(*args, **more)
        line = self.one_error(result, code, *words)
        self.assertEqual(result.out, "", result)
        return line

    def assert_same_tree(self, a, b, but=()):
        left, right = tree(a), tree(b)
        self.assertEqual(sorted(set(left) - set(but)), sorted(set(right) - set(but)))
        for name in sorted(set(left) - set(but)):
            self.assertTrue(left[name] == right[name], f"{name} differs between {a} and {b}")
