"""What the tests of the Python module share. The corpus, the trained model and the program come from the tests of the command line, with
which the module must agree."""
import functools
import pathlib
import sys
import unittest
import wave

import numpy

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import serene  # noqa: E402  (found through PYTHONPATH)
import support  # noqa: E402
from support import RATE, temp  # noqa: E402

CALL = support.SOURCE / "configs" / "call"


def samples_of(path) -> numpy.ndarray:
    """A 16-bit mono WAV as float32, full scale 1."""
    with wave.open(str(path), "rb") as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(numpy.float32) / numpy.float32(32768)


def model_file() -> pathlib.Path:
    return support.trained()[0] / "best.safetensors"


@functools.cache
def recognizer() -> serene.Recognizer:
    return serene.Recognizer(model_file())


@functools.cache
def talk_file() -> pathlib.Path:
    """The customer of a call of 12 s."""
    import call_support
    return pathlib.Path(call_support.recordings()[0])


def wrong_arrays(dimensions: int) -> dict:
    """What is refused where a float32 array of so many dimensions is wanted."""
    good = numpy.zeros((320, 40)[:dimensions], numpy.float32)
    odd = numpy.frombuffer(b"\0" * (4 * good.size + 1), numpy.uint8)[1:].view(numpy.float32).reshape(good.shape)
    return {
        "float64": good.astype(numpy.float64),
        "16-bit": good.astype(numpy.int16),
        "big-endian": good.astype(">f4"),
        "every second": numpy.zeros(640, numpy.float32)[::2] if dimensions == 1 else good.T,
        "unaligned": odd,
        "one dimension more": good[None],
        "no dimension": numpy.float32(0),
        "list": good.tolist(),
        "bytes": good.tobytes(),
        "nothing": None,
    }


class ModuleTest(unittest.TestCase):
    maxDiff = 4000

    def refuses(self, code: str, words, function, *args, **more):
        """The call raises one serene.Error of this code whose one line holds the words."""
        with self.assertRaises(serene.Error) as raised:
            function(*args, **more)
        line = str(raised.exception)
        self.assertEqual(raised.exception.code, code, line)
        self.assertEqual(len(line.splitlines()), 1, line)
        for word in words:
            self.assertIn(str(word), line)

    def refuses_arrays(self, name: str, dimensions: int, function):
        words = f"^{name}: must be a {dimensions}-D C-contiguous float32 array, got"
        for what, array in wrong_arrays(dimensions).items():
            with self.subTest(what), self.assertRaisesRegex(TypeError, words):
                function(array)

    def assert_same(self, a: serene.Recognition, b: serene.Recognition):
        self.assertEqual((a.label, a.uncertain, a.frames), (b.label, b.uncertain, b.frames))
        numpy.testing.assert_array_equal(a.probabilities, b.probabilities)
