"""serene.Recognizer and serene.features against `serene predict` and `serene features`."""
import os
import sys
import threading
import time

import module_support  # first: it finds the others
import numpy
import serene
import support
from module_support import RATE, ModuleTest, model_file, recognizer, samples_of, temp


class Recognize(ModuleTest):
    def agrees(self, answer: serene.Recognition, told: dict):
        self.assertEqual(answer.label, told["emotion"])
        self.assertEqual(answer.frames, told["frames"])
        self.assertEqual(answer.uncertain, told.get("uncertain", False))
        self.assertEqual(dict(zip(recognizer().labels, answer.probabilities.tolist())), told["probabilities"])

    def test_agrees_with_the_program(self):
        clips = [support.a_clip(e) for e in range(4)]
        for clip, told in zip(clips, support.serene("predict", model_file(), *clips, "--json").json()):
            answer = recognizer().recognize_file(clip)
            self.agrees(answer, told)
            self.assertEqual(answer.probabilities.dtype, numpy.float64)
            self.assert_same(answer, recognizer().recognize_file(str(clip)))
            self.assert_same(answer, recognizer().recognize(samples_of(clip)))
            self.assert_same(answer, recognizer().recognize_features(serene.features(samples_of(clip), RATE, "mfcc-40")))
            self.assertIn(repr(answer.label), repr(answer))

    def test_model(self):
        self.assertEqual(recognizer().labels, support.EMOTIONS)
        head = support.serene("inspect", model_file()).out
        self.assertIn(f"{recognizer().temperature:.2f}"[:4], head)
        self.assertTrue(0 < recognizer().uncertain_below < 1)

    def test_other_rates_are_resampled_as_in_a_file(self):
        for rate in (8000, 22050, 48000):
            clip = support.wav(temp() / f"at{rate}.wav", support.voice(4, 6, 1), rate)
            self.assert_same(recognizer().recognize(samples_of(clip), rate=rate), recognizer().recognize_file(clip))

    def test_a_view_is_read_where_it_lies(self):
        clip = samples_of(support.a_clip())
        long = numpy.concatenate([numpy.full(1000, 0.7, numpy.float32), clip, numpy.full(1000, -0.7, numpy.float32)])
        self.assert_same(recognizer().recognize(long[1000:-1000]), recognizer().recognize(clip))

    def test_timeline(self):
        clip = module_support.talk_file()
        told = support.serene("predict", model_file(), clip, "--timeline", "--window", "2", "--json").json()[0]["windows"]
        rows = recognizer().timeline(clip, window_s=2)
        self.assertGreater(len(rows), 5)
        self.assertEqual([(a, b) for a, b, _ in rows], [(w["from_s"], w["to_s"]) for w in told])
        for (_, _, answer), window in zip(rows, told):
            self.agrees(answer, window)
        self.refuses("usage", ["window"], recognizer().timeline, clip, 0.01)
        self.refuses("usage", ["window"], recognizer().timeline, clip, float("nan"))

    def test_precision(self):
        small = serene.Recognizer(model_file(), precision="int8").recognize_file(support.a_clip())
        full = recognizer().recognize_file(support.a_clip())
        self.assertFalse(numpy.array_equal(small.probabilities, full.probabilities))
        numpy.testing.assert_allclose(small.probabilities, full.probabilities, atol=0.05)
        self.refuses("usage", ["precision", "half"], serene.Recognizer, model_file(), "half")

    def test_hostile_files(self):
        for path, word in support.bad_recordings().items():
            with self.subTest(path.name):
                code = "not_found" if path.name == "missing.wav" else "input"
                self.refuses(code, [path, word], recognizer().recognize_file, path)
                self.refuses(code, [path, word], recognizer().timeline, path, 1)
        self.refuses("not_found", ["nowhere"], serene.Recognizer, temp() / "nowhere")
        self.refuses("input", [support.SMOKE], serene.Recognizer, support.SMOKE)
        torn = temp() / "torn.safetensors"
        torn.write_bytes(model_file().read_bytes()[:-1])
        self.refuses("input", [torn], serene.Recognizer, torn)
        odd = os.fsencode(temp()) + b"/\xff.wav"
        self.refuses("not_found", ["?.wav"], recognizer().recognize_file, odd)
        for wrong in (None, 3, [], "a\0b"):
            self.assertRaises((TypeError, ValueError), recognizer().recognize_file, wrong)
            self.assertRaises((TypeError, ValueError), serene.Recognizer, wrong)

    def test_hostile_samples(self):
        self.refuses_arrays("samples", 1, recognizer().recognize)
        self.refuses_arrays("features", 2, recognizer().recognize_features)
        good = numpy.zeros(RATE, numpy.float32)
        for value in (numpy.nan, numpy.inf, -numpy.inf):
            bad = good.copy()
            bad[77] = value
            self.refuses("input", ["sample 77", "finite"], recognizer().recognize, bad)
            self.refuses("input", ["features", "finite"], recognizer().recognize_features, numpy.full((9, 40), value, numpy.float32))
        self.refuses("input", ["samples"], recognizer().recognize, good[:0])
        for rate in (0, -16000, 999, 768001):
            self.refuses("usage", ["rate", rate], recognizer().recognize, good, rate)
        self.assertRaises(TypeError, recognizer().recognize, good, 16000.5)
        for shape in ((9, 39), (0, 40), (40, 0)):
            self.refuses("input", ["features", "(frames, 40)"], recognizer().recognize_features, numpy.zeros(shape, numpy.float32))

    def test_silence_gives_an_answer(self):
        answer = recognizer().recognize(numpy.zeros(RATE, numpy.float32))
        self.assertAlmostEqual(answer.probabilities.sum(), 1, places=9)

    def test_threads_share_a_recognizer(self):
        clips = [samples_of(support.a_clip(e)) for e in range(8)]
        alone = [recognizer().recognize(c) for c in clips]
        together = [None] * len(clips)

        def work(place):
            for _ in range(5):
                together[place] = recognizer().recognize(clips[place])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(clips))]
        [t.start() for t in threads]
        [t.join() for t in threads]
        for a, b in zip(alone, together):
            self.assert_same(a, b)

    def test_others_run_meanwhile(self):
        """With the GIL held until it is asked for, this thread gets on only while the work does without."""
        long = numpy.tile(samples_of(support.a_clip()), 1000)
        done, before, turns = [], sys.getswitchinterval(), 0
        worker = threading.Thread(target=lambda: done.append(recognizer().recognize(long)))
        sys.setswitchinterval(1000)
        try:
            worker.start()
            while not done:
                turns += 1
                time.sleep(0.001)
        finally:
            sys.setswitchinterval(before)
            worker.join()
        self.assertGreater(turns, 10)


class Features(ModuleTest):
    def of_program(self, clip, *options) -> numpy.ndarray:
        out = temp() / "features" / str(abs(hash(options)))
        result = support.serene("features", clip, "--out", out, *options)
        self.assertEqual(result.code, 0, result)
        return numpy.load(out / f"{clip.stem}.npy")

    def equal(self, clip, rate, preset, **settings):
        options = [f"--set={key}={str(value).lower() if value is not None else 'null'}" for key, value in settings.items()]
        wanted = self.of_program(clip, "--preset", preset, *options)
        got = serene.features(samples_of(clip), rate, preset, **settings)
        self.assertEqual((got.dtype, got.shape), (numpy.float32, wanted.shape))
        self.assertEqual(got.tobytes(), wanted.tobytes(), (preset, settings))
        self.assertTrue(got.flags.c_contiguous and got.flags.writeable)

    def test_bit_for_bit_those_of_the_program(self):
        clip = support.wav(temp() / "long.wav", support.voice(2, 6, 1, 3.6))
        for preset in ("mfcc-40", "logmel-64", "kaggle-162", "kaggle-2376", "kaggle-frames"):
            self.equal(clip, RATE, preset)
        self.equal(clip, RATE, "logmel-64", n_mels=80, deltas=2, trim_top_db=None)
        self.equal(clip, RATE, "mfcc-40", center=False, htk=True, fmax_hz=4000.0)
        self.equal(support.wav(temp() / "at44.wav", support.voice(1, 2, 1), 44100), 44100, "logmel-64")

    def test_the_usual_preset(self):
        clip = samples_of(support.a_clip())
        numpy.testing.assert_array_equal(serene.features(clip, RATE), serene.features(clip, RATE, preset="logmel-64"))

    def test_hostile(self):
        clip = samples_of(support.a_clip())
        self.refuses_arrays("samples", 1, lambda a: serene.features(a, RATE))
        self.refuses("input", ["features", "n_bells"], serene.features, clip, RATE, n_bells=3)
        self.refuses("input", ["features.n_mels"], serene.features, clip, RATE, n_mels=-1)
        self.refuses("input", ["features.n_mels"], serene.features, clip, RATE, n_mels="many")
        self.refuses("input", ["mfcc-41"], serene.features, clip, RATE, "mfcc-41")
        self.refuses("input", ["samples"], serene.features, clip[:0], RATE)
        self.refuses("input", ["sample 0"], serene.features, numpy.full(9, numpy.nan, numpy.float32), RATE)
        self.refuses("usage", ["rate"], serene.features, clip, 1 << 30)
        self.assertRaises(TypeError, serene.features, clip, RATE, n_mels=object())
        self.assertRaises(ValueError, serene.features, clip, RATE, fmin_hz=float("nan"))
        self.assertRaises(TypeError, serene.features, clip)


class Module(ModuleTest):
    def test_version_and_types(self):
        number = [line.split()[2] for line in (support.SOURCE / "lib/serene/version.h").read_text().splitlines()
                  if line.startswith(("#define SERENE_VERSION_MAJOR", "#define SERENE_VERSION_MINOR", "#define SERENE_VERSION_PATCH"))]
        self.assertEqual(serene.__version__, ".".join(number))
        stub = (support.SOURCE / "lib/python/serene.pyi").read_text()
        for name, value in vars(serene).items():
            if name.startswith("_"):
                continue
            self.assertTrue(value.__doc__, name)
            self.assertRegex(stub, rf"(class|def) {name}\b")
            for member in () if name == "Error" or not isinstance(value, type) else [m for m in vars(value) if not m.startswith("_")]:
                self.assertRegex(stub, rf"def {member}\b", name)

    def test_an_error_is_an_exception(self):
        self.assertTrue(issubclass(serene.Error, Exception))
