"""Features from outside: serene features to .npz, and training, testing and predicting with what comes from a file."""
import io
import json
import os
import struct
import zipfile

import support
from interop_support import run_script
from support import EMOTIONS, EPOCHS, SMALL, SMOKE, CliTest, on_corpus, serene, temp, trained

SIXTY = 60


def clips():
    """Ten of each actor's clips with what is known about them."""
    for actor in range(1, support.ACTORS + 1):
        for emotion, take in [(e, t) for e in range(len(EMOTIONS)) for t in (1, 2)][:SIXTY // support.ACTORS]:
            yield support.a_clip(emotion, actor, take), EMOTIONS[emotion], f"{actor:02d}"


def manifest():
    path = temp() / "sixty.jsonl"
    path.write_text("".join(json.dumps({"path": os.path.relpath(clip, path.parent), "label": label, "speaker": speaker}) + "\n"
                            for clip, label, speaker in clips()))
    return path


def archive():
    path = temp() / "sixty.npz"
    if not path.exists():
        result = serene(*on_corpus("features", "--manifest", manifest(), "--out", path))
        if result.code != 0:
            raise AssertionError(repr(result))
    return path


def weights(model):
    """Its tensors; the text in front of them names where the features come from."""
    data = model.read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    meta = header.pop("__metadata__")
    return {name: data[8 + length:][slice(*t["data_offsets"])] for name, t in header.items()}, json.loads(meta["features"])


def npy(descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def texts(values):
    width = max(map(len, values))
    return npy(f"|S{width}", f"({len(values)},)", b"".join(v.encode().ljust(width, b"\0") for v in values))


def npz(path, arrays):
    """arrays: {entry name: bytes}; deflated, as numpy.savez_compressed does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, data in arrays.items():
            with zip_file.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    return path


def good_arrays():
    return {"names.npy": texts(["a", "b"]), "features.npy": npy("<f4", "(3, 40)", struct.pack("<120f", *range(120))),
            "frames.npy": npy("|u1", "(2,)", b"\1\2"), "labels.npy": texts(["sad", "happy"]), "speakers.npy": texts(["x", "y"])}


# The synthetic corpus' fixed split: speaker 06 tests, 05 validates. A feature is masked anew in each epoch.
CHANGED = ["--set=data.augment.time_masks=1", "--set=data.augment.time_mask_frames=9", "--set=data.augment.tempo=[0.9,1.1]"]


class OutsideTrainingTest(CliTest):
    def train(self, name, *more):
        run = self.new_path(name)
        self.ok(*on_corpus("train", SMOKE, "--run", run, *SMALL, *CHANGED, "--set=data.corpus=", *more))
        return run

    def test_same_bits_as_from_recordings(self):
        recordings = self.train("recordings", f"--set=data.manifest={manifest()}")
        alone = self.train("alone", f"--set=data.features={archive()}")
        folder = self.new_path("npy")
        self.ok(*on_corpus("features", "--manifest", manifest(), "--out", folder))
        beside = self.train("beside", f"--set=data.manifest={manifest()}", f"--set=data.features={folder}")
        wanted, heard = weights(recordings / "best.safetensors")
        self.assertEqual(heard["layout"], "mfcc")
        for run in (alone, beside):
            tensors, features = weights(run / "best.safetensors")
            self.assertEqual(sorted(tensors), sorted(wanted))
            for name in wanted:
                self.assertTrue(tensors[name] == wanted[name], f"{name} differs in {run}")
            self.assertEqual(features, {"layout": "outside", "channels": 40})
            for file in ("results.json", "split.json", "predictions.json", "report.html"):
                self.assertTrue((run / file).exists(), file)
            self.assertEqual((run / "results.json").read_text(), (recordings / "results.json").read_text())
        self.uses(recordings, alone)
        self.resumes(alone)

    def uses(self, recordings, run):
        """What the trained model answers, and what it cannot hear."""
        clip = support.a_clip(0, 6)
        heard = self.ok("predict", recordings, clip, "--json").json()[0]
        all_clips = self.ok("predict", run, "--features", archive(), "--json").json()
        self.assertEqual(len(all_clips), SIXTY)
        mine = [a for a in all_clips if a["file"] == f"{archive()}:{clip.stem}"]
        self.assertEqual(mine[0]["probabilities"], heard["probabilities"])
        self.assertEqual(len(self.ok("predict", run, "--features", archive()).out.splitlines()), SIXTY + 1)
        self.refuses(1, [run, "come from outside", "--features"], "predict", run, clip)
        self.refuses(1, ["come from outside"], "features", clip, "--model", run)
        scores = self.ok(*on_corpus("evaluate", run, "--json")).json()
        self.assertEqual(scores, json.loads((run / "results.json").read_text()))
        model = run / "best.safetensors"
        outside = self.ok(*on_corpus("evaluate", model, "--features", archive(), "--json")).json()
        beside = self.ok(*on_corpus("evaluate", model, "--features", archive(), "--manifest", manifest(), "--json")).json()
        self.assertEqual(outside["clips"], SIXTY)
        self.assertEqual(outside["confusion"], beside["confusion"])
        self.one_error(serene(*on_corpus("evaluate", model, "--manifest", manifest())), 1, model, "come from outside")
        self.one_error(serene(*on_corpus("evaluate", run, "--condition", "white:10")), 1, "white:10", "come from outside")
        self.one_error(serene(*on_corpus("evaluate", trained()[0] / "best.safetensors", "--features", npz(self.new_path("small.npz"), {
            **good_arrays(), "features.npy": npy("<f4", "(3, 2)", bytes(24))}))), 2, "do not fit the model", "40 channels")
        self.assertIn("outside", self.ok("inspect", run).out)

    def resumes(self, whole):
        part = self.train("part", f"--set=data.features={archive()}", "--set=train.epochs=1")
        self.ok(*on_corpus("train", "--resume", "--run", part, f"--set=train.epochs={EPOCHS}"))
        self.assertEqual(weights(part / "best.safetensors"), weights(whole / "best.safetensors"))

    def test_crossval(self):
        run = self.new_path("crossval")
        self.ok(*on_corpus("crossval", SMOKE, "--protocol", "random10", "--folds", "0,1", "--seeds", "1", "--run", run, "--set=data.corpus=",
                           f"--set=data.features={archive()}", "--set=train.epochs=1"))
        self.assertEqual(json.loads((run / "results.json").read_text())["folds"].__len__(), 2)
        self.assertIn("UAR", self.ok(*on_corpus("evaluate", run)).out)

    def test_what_does_not_fit(self):
        outside = ["--set=data.corpus=", f"--set=data.features={archive()}"]

        def train(code, words, *more):
            result = serene(*on_corpus("train", SMOKE, "--run", self.new_path("run"), *more))
            self.one_error(result, code, *words)

        train(1, ["data.augment.wave", "outside"], *outside, "--set=data.augment.wave.pitch_probability=0.5")
        train(1, ["data.augment.gain_db", "outside"][:1], *outside, "--set=data.augment.gain_db=3")
        train(1, ["data.augment.mel_shift"], *outside, "--set=data.augment.mel_shift=3")
        train(1, ["data.features", "recordings"], *outside, "--set=data.copies=after_split")
        train(2, ["data.features", "none.npz", "no such file"], "--set=data.corpus=", "--set=data.features=none.npz")
        train(1, ["needs a manifest"], "--set=data.corpus=", f"--set=data.features={temp()}")
        train(1, ["come from outside"], "--set=features={\"layout\": \"outside\", \"channels\": 40}")
        self.assertFalse(self.new_path("run").exists())


class ArchiveTest(CliTest):
    def test_files_and_corpora(self):
        out = self.new_path("files.npz")
        some = [support.a_clip(0), support.a_clip(1)]
        self.assertRegex(self.ok("features", *some, "--out", out).out, r"files\.npz  2 clips, \d+ x 40\n")
        with zipfile.ZipFile(out) as zip_file:
            self.assertIsNone(zip_file.testzip())
            self.assertEqual(sorted(zip_file.namelist()), ["features.npy", "frames.npy", "names.npy"])
        answers = self.ok("predict", trained()[0], "--features", out, "--json").json()
        direct = self.ok("predict", trained()[0], *some, "--json").json()
        self.assertEqual([a["probabilities"] for a in answers], [a["probabilities"] for a in direct])
        self.one_error(serene(*on_corpus("evaluate", trained()[0], "--features", out)), 2, out, "holds no labels")
        first = archive().read_bytes()
        again = self.new_path("again.npz")
        self.ok(*on_corpus("features", "--manifest", manifest(), "--out", again))
        self.assertTrue(again.read_bytes() == first, "the same bytes each time")
        self.refuses(1, ["--corpus", "one of them"], "features", some[0], "--corpus", "ravdess")
        result = serene("features", some[0], *support.bad_recordings(), "--out", self.new_path("rest.npz"))
        self.assertEqual(result.code, 2, result)
        self.assertIn("1 clips", result.out)
        self.assertEqual(len(result.err.splitlines()), len(support.bad_recordings()))

    def test_numpy_reads_and_writes(self):
        answer = json.loads(run_script(self, ["numpy"], "numpy_npz.py", archive(), self.new_path("made")))
        self.assertEqual(answer["clips"], SIXTY)
        self.assertEqual(answer["labels"], [label for _, label, _ in clips()])
        self.assertEqual(answer["speakers"], [speaker for _, _, speaker in clips()])
        self.assertEqual(answer["dtype"], "float32")
        wanted = self.ok("predict", trained()[0], "--features", archive(), "--json").json()
        for file in answer["made"]:
            made = self.ok("predict", trained()[0], "--features", file, "--json").json()
            self.assertEqual([m["probabilities"] for m in made], [w["probabilities"] for w in wanted], file)

    def test_hostile_archives(self):
        whole = npz(self.new_path("whole.npz"), good_arrays())
        self.assertEqual(len(self.ok("predict", trained()[0], "--features", whole, "--json").json()), 2)
        data = whole.read_bytes()
        bad = {}

        def put(name, content, *words):
            path = self.new_path(name)
            path.write_bytes(content)
            bad[path] = words

        def put_arrays(name, changes, *words):
            npz(self.new_path(name), {**good_arrays(), **changes})
            bad[self.new_path(name)] = words

        put("empty.npz", b"", "not a zip archive")
        put("truncated.npz", data[:len(data) // 2], "not a zip archive")
        put("tail.npz", data[:-1], "cut off")
        put("text.npz", b"only words\n" * 50, "not a zip archive")
        put_arrays("path.npz", {"../../evil.npy": texts(["x"])}, "is a path")
        put_arrays("objects.npz", {"labels.npy": npy("|O", "(2,)", b"cposix\nsystem\n(S'true'\ntR.")}, "labels.npy", "Python objects")
        put_arrays("dtype.npz", {"features.npy": npy("<c8", "(3, 40)", bytes(960))}, "features.npy", "unsupported dtype")
        put_arrays("lengths.npz", {"labels.npy": texts(["sad"])}, "labels", "wrong shape")
        put_arrays("frames.npz", {"frames.npy": npy("|u1", "(2,)", b"\1\1")}, "frames", "does not fit")
        put_arrays("no_array.npz", {"readme.txt": b"hello"}, "readme.txt", "is no .npy array")
        put_arrays("bomb.npz", {"features.npy": npy("<f4", "(500000, 40)", bytes(80_000_000))}, "features.npy", "more than 100 times")
        twice = io.BytesIO()
        with zipfile.ZipFile(twice, "w") as zip_file:
            for name in ("names.npy", "names.npz"):
                zip_file.writestr(name, texts(["a"]))
        put("twice.npz", twice.getvalue().replace(b"names.npz", b"names.npy"), "two entries")
        for path, words in bad.items():
            self.one_error(serene("predict", trained()[0], "--features", path), 2, path, *words)
            self.one_error(serene(*on_corpus("evaluate", trained()[0], "--features", path)), 2, path, *words)
        self.assertFalse((temp().parent / "evil.npy").exists())
        result = serene("predict", trained()[0], "--features", whole, *bad, "--json")
        self.assertEqual(result.code, 2)
        self.assertEqual(sum("emotion" in a for a in result.json()), 2)
