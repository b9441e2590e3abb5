"""serene export: ONNX (its numbers are held against ONNX Runtime in tests/interop) and weights for PyTorch; the way back by
serene import; serene predict on features."""
import json
import struct
import unittest

from interop_support import run_script, safetensors_file, weights_of
from support import SMOKE, SOURCE, CliTest, a_clip, serene, temp, trained

STRONG = SOURCE / "configs" / "model_strong.json"
STRONG_LABELS = "neutral,calm,happy,sad,angry,fearful,disgust,surprised"


class Onnx(CliTest):
    def test_a_model_becomes_a_graph(self):
        run, _ = trained()
        file = self.new_path("a.onnx")
        said = self.ok("export", run, "--onnx", file).out
        self.assertIn("features (batch, frames, 40) to probabilities (batch, 8)", said)
        data = file.read_bytes()
        for text in (b"serene", b"LSTM", b"probabilities", b"surprised", b"intended_use", b'"mean":['):
            self.assertIn(text, data)
        self.assertNotIn(b"normalizer/Sub", data)
        again = self.new_path("b.onnx")
        self.ok("export", run / "best.safetensors", "--onnx", again)
        self.assertEqual(data, again.read_bytes(), "the same bytes every time")

    def test_normalizer_and_logits(self):
        run, _ = trained()
        file = self.new_path("n.onnx")
        self.ok("export", run, "--onnx", file, "--normalizer", "--logits")
        data = file.read_bytes()
        for text in (b"normalizer/Sub", b"in the graph", b"logits"):
            self.assertIn(text, data)
        self.assertNotIn(b"answer/Softmax", data)

    def test_the_checker_takes_it(self):
        folder = temp() / "checked"
        folder.mkdir(exist_ok=True)
        self.ok("export", trained()[0], "--onnx", folder / "model.onnx", "--normalizer")
        self.assertIn("1 files, 0 refused", run_script(self, ["onnx"], "onnx_checker.py", folder))

    def test_ensembles(self):
        run, _ = trained()
        e, file = self.new_path("e.safetensors"), self.new_path("e.onnx")
        self.ok("ensemble", run, run / "last.safetensors", "--out", e, "--no-calibrate")
        self.ok("export", e, "--onnx", file)
        self.assertIn(b"member1/lstm/LSTM", file.read_bytes())
        self.refuses(1, ["ensemble"], "export", e, "--onnx", file, "--logits")
        self.refuses(1, ["ensemble"], "export", e, "--pytorch", file)

    def test_what_does_not_go(self):
        run, _ = trained()
        self.refuses(1, ["one model"], "export")
        self.refuses(1, ["--onnx"], "export", run)
        self.refuses(1, ["--logits", "belongs to --onnx"], "export", run, "--pytorch", self.new_path("w"), "--logits")
        self.refuses(2, ["no.safetensors"], "export", "no.safetensors", "--onnx", self.new_path("x"))
        self.refuses(2, ["nowhere"], "export", run, "--onnx", temp() / "nowhere" / "x.onnx")
        self.assertFalse((temp() / "nowhere").exists())


class PyTorch(CliTest):
    def test_there_and_back_is_exact(self):
        run, _ = trained()
        there, back = self.new_path("w.safetensors"), self.new_path("back.safetensors")
        self.ok("export", run, "--pytorch", there)
        self.ok("import", "--pytorch", there, "--config", SMOKE, "--out", back)
        self.assertEqual(weights_of(run / "best.safetensors"), weights_of(back))
        before = safetensors_file.read(run / "best.safetensors")
        after = safetensors_file.read(back)
        for name in ("normalizer.mean", "normalizer.scale"):
            self.assertEqual(before[0][name], after[0][name])
        head, head_back = (json.loads(f[1]["head"]) for f in (before, after))
        head.pop("uncertain_below", None)  # of the run's own validation speakers
        self.assertEqual(head, head_back)
        clip = a_clip()
        answers = [self.ok("predict", m, clip, "--json", "--always").json()[0]["probabilities"] for m in (run, back)]
        self.assertEqual(*answers)

    def test_names_and_shapes(self):
        file = self.new_path("w.safetensors")
        self.ok("export", trained()[0], "--pytorch", file)
        tensors, metadata = safetensors_file.read(file)
        self.assertEqual({n: t[1] for n, t in tensors.items()}, {
            "conv.weight": [8, 40, 5], "conv.bias": [8], "lstm.weight_ih_l0": [32, 8], "lstm.weight_hh_l0": [32, 8],
            "lstm.bias_ih_l0": [32], "lstm.bias_hh_l0": [32], "bn.weight": [8], "bn.bias": [8], "bn.running_mean": [8],
            "bn.running_var": [8], "out.weight": [8, 8], "out.bias": [8]})
        self.assertEqual(tensors["lstm.bias_hh_l0"][2], bytes(4 * 32))
        self.assertEqual(metadata["format"], "pt")

    def test_a_second_bias_is_added(self):
        file, changed, back = (self.new_path(n) for n in ("w.safetensors", "c.safetensors", "back.safetensors"))
        self.ok("export", trained()[0], "--pytorch", file)
        tensors, metadata = safetensors_file.read(file)
        dtype, shape, data = tensors["lstm.bias_hh_l0"]
        tensors["lstm.bias_hh_l0"] = (dtype, shape, struct.pack("<f", 0.5) + data[4:])
        safetensors_file.write(changed, tensors, metadata)
        self.ok("import", "--pytorch", changed, "--config", SMOKE, "--out", back)
        first = [struct.unpack("<f", safetensors_file.read(f)[0]["lstm.bias"][2][:4])[0]
                 for f in (trained()[0] / "best.safetensors", back)]
        self.assertAlmostEqual(first[1] - first[0], 0.5, places=6)

    def test_hostile_weights(self):
        file = self.new_path("w.safetensors")
        self.ok("export", trained()[0], "--pytorch", file)
        tensors, metadata = safetensors_file.read(file)
        out = self.new_path("out.safetensors")

        def refused(words, change, texts=metadata, *more):
            broken = self.new_path("broken.safetensors")
            different = dict(tensors)
            change(different)
            safetensors_file.write(broken, different, texts)
            self.refuses(2, ["broken.safetensors", *words], "import", "--pytorch", broken, "--config", SMOKE, "--out", out, *more)
            self.assertFalse(out.exists())

        refused(["lstm.weight_hh_l0", "lacks"], lambda t: t.pop("lstm.weight_hh_l0"))
        refused(["extra.weight"], lambda t: t.update({"extra.weight": ("F32", [1], bytes(4))}))
        refused(["conv.weight", "[8,40,5]"], lambda t: t.update({"conv.weight": ("F32", [8, 5, 40], t["conv.weight"][2])}))
        refused(["NonFinite"], lambda t: t.update({"conv.bias": ("F32", [8], struct.pack("<8f", *[float("nan")] * 8))}))
        refused(["normalizer"], lambda t: None, metadata | {"normalizer": '{"mean":[1],"scale":[1]}'})
        refused(["temperature"], lambda t: None, metadata | {"temperature": "0"})
        refused(["labels"], lambda t: None, metadata | {"labels": '["a", 1]'})
        self.refuses(1, ["--labels"], "import", "--pytorch", self.write_plain(tensors), "--config", SMOKE, "--out", out)
        for words, labels in ((["out.weight", "[2,8]"], "a,b"), (["--labels", "twice"], "a,b,c,d,e,f,g,g"), (["--labels"], "a")):
            self.refuses(2, words, "import", "--pytorch", file, "--config", SMOKE, "--labels", labels, "--out", out)

    def write_plain(self, tensors):
        path = self.new_path("plain.safetensors")
        safetensors_file.write(path, tensors)
        return path

    def test_model_strong_in_pytorch(self):
        folder = temp() / "torch"
        folder.mkdir(exist_ok=True)
        run_script(self, ["torch", "numpy"], "torch_strong.py", "make", folder)
        model, back = folder / "model.safetensors", folder / "back.safetensors"
        self.ok("import", "--pytorch", folder / "torch.safetensors", "--config", STRONG, "--labels", STRONG_LABELS,
                "--out", model)
        answers = json.loads((folder / "answers.json").read_text())
        clips = [folder / f"clip{i}.npy" for i in range(len(answers))]
        ours = [list(a["probabilities"].values()) for a in self.ok("predict", model, "--features", "--json", *clips).json()]
        for mine, theirs in zip(ours, answers, strict=True):
            self.assertGreater(max(mine), 0.2, "an answer that says something")
            for p, q in zip(mine, theirs, strict=True):
                self.assertAlmostEqual(p, q, delta=1e-5)
        self.ok("export", model, "--pytorch", back)
        self.assertLess(json.loads(run_script(self, ["torch", "numpy"], "torch_strong.py", "check", back, folder))["worst"], 1e-6)


class Features(CliTest):
    def test_features_of_a_model_give_its_answers(self):
        run, _ = trained()
        folder, clip = self.new_path("npy"), a_clip()
        self.ok("features", clip, "--model", run, "--out", folder)
        npy = folder / (clip.stem + ".npy")
        direct, by_features = (self.ok("predict", run, *a, "--json").json()[0] for a in ((clip,), (npy, "--features")))
        self.assertEqual(direct["probabilities"], by_features["probabilities"])
        self.assertEqual(direct["frames"], by_features["frames"])

    def test_features_that_do_not_fit(self):
        run, _ = trained()
        folder, clip = self.new_path("npy"), a_clip()
        self.ok("features", clip, "--preset", "logmel-64", "--out", folder)
        npy = folder / (clip.stem + ".npy")
        for words, args in ((["wrong shape", "(frames, 40)"], (npy,)), (["clip.wav"], (clip.with_name("clip.wav"),)),
                            ([clip.name], (clip,))):
            result = self.one_error_of("predict", run, "--features", *args)
            for word in words:
                self.assertIn(word, result)
        self.refuses(1, ["--timeline"], "predict", run, npy, "--features", "--timeline")
        self.refuses(1, ["--set"], "features", clip, "--model", run, "--set", "n_mels=8")

    def one_error_of(self, *args):
        result = serene(*args)
        self.assertEqual(result.code, 2, result)
        return result.err


if __name__ == "__main__":
    unittest.main()
