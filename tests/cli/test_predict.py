"""serene predict, serene features and serene inspect."""
import json
import os
import shutil
import struct

import support
from support import EMOTIONS, SMOKE, CliTest, serene, trained


class PredictTest(CliTest):
    def test_table(self):
        result = self.ok("predict", trained()[0], support.a_clip(0), support.a_clip(1))
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[0].replace(" %", "").split(), ["file", "emotion", *EMOTIONS])
        for line, clip in zip(lines[1:], (support.a_clip(0), support.a_clip(1))):
            words = line.split()
            shares = [float(w) for w in words[-8:]]
            self.assertAlmostEqual(sum(shares), 100, delta=0.1)
            self.assertEqual(words[-9], EMOTIONS[shares.index(max(shares))])
        self.assertEqual(result.err, "")

    def test_json_agrees_with_the_logits_of_training(self):
        run, _ = trained()
        clips = [support.a_clip(e) for e in range(8)]
        answers = self.ok("predict", run / "best.safetensors", *clips, "--json", "--threads", "2").json()
        stored = {p["clip"]: p for p in json.loads((run / "predictions.json").read_text())}
        for answer, clip in zip(answers, clips):
            self.assertEqual(answer["file"], str(clip))
            shares = list(answer["probabilities"].values())
            self.assertEqual(list(answer["probabilities"]), EMOTIONS)
            self.assertAlmostEqual(sum(shares), 1, places=9)
            self.assertEqual(answer["emotion"], EMOTIONS[shares.index(max(shares))])
            logits = stored[clip.stem]["logits"]
            self.assertEqual(EMOTIONS[logits.index(max(logits))], answer["emotion"])
        self.assertEqual(answers, self.ok("predict", run, *clips, "--json", "--threads", "1").json())

    def test_precision(self):
        clips = [support.a_clip(e) for e in range(4)]
        full = self.ok("predict", trained()[0], *clips, "--json").json()
        self.assertEqual(full, self.ok("predict", trained()[0], *clips, "--json", "--precision", "full").json())
        for precision in ("bf16", "int8"):
            small = self.ok("predict", trained()[0], *clips, "--json", "--precision", precision).json()
            self.assertNotEqual(full, small)
            for a, b in zip(full, small):
                for label, p in a["probabilities"].items():
                    self.assertAlmostEqual(p, b["probabilities"][label], delta=0.05)
        self.refuses(1, ["--precision", "full, bf16 or int8", "half"], "predict", trained()[0], clips[0], "--precision", "half")

    def test_bad_files_are_named_and_the_good_answered(self):
        bad = support.bad_recordings()
        good = [support.a_clip(2), support.a_clip(3)]
        for extra in ([], ["--json"]):
            result = serene("predict", trained()[0], good[0], *bad, good[1], *extra)
            self.assertEqual(result.code, 2, result)
            lines = result.err.splitlines()
            self.assertEqual(len(lines), len(bad), result)
            for line, (path, word) in zip(lines, bad.items()):
                self.assertTrue(line.startswith(f"serene: {path}: "), line)
                self.assertIn(word, line)
                self.assertGreater(len(line), len(f"serene: {path}: ") + 5)
            if extra:
                answers = {a["file"]: a for a in result.json()}
                self.assertEqual(len(answers), len(bad) + 2)
                self.assertTrue(all("error" in answers[str(path)] and "emotion" not in answers[str(path)] for path in bad))
                self.assertTrue(all("emotion" in answers[str(path)] for path in good))
            else:
                self.assertEqual(len(result.out.splitlines()), 3)

    def test_silence_and_tiny_clips_give_no_nan(self):
        silence = support.wav(self.new_path("silence.wav"), [0.0] * 8000)
        short = support.wav(self.new_path("short.wav"), [0.1, -0.1] * 20)
        one = support.wav(self.new_path("one.wav"), [0.5])
        result = serene("predict", trained()[0], silence, short, one, "--json")
        self.assertIn(result.code, (0, 2))
        for answer in result.json():
            if "error" not in answer:
                self.assertAlmostEqual(sum(answer["probabilities"].values()), 1, places=9)
        self.assertNotRegex(result.out, r"(?i)\b(nan|inf|null)\b")

    def test_names_with_commas_blanks_and_odd_bytes(self):
        for name in (b"a,b.wav", b"two words.wav", "caf\u00e9.wav".encode(), b"odd\xff.wav", b"new\nline.wav", b"-dash.wav"):
            path = bytes(support.temp()) + b"/" + name
            with open(path, "wb") as copy:
                copy.write(support.a_clip().read_bytes())
            result = self.ok("predict", trained()[0], os.fsdecode(path), "--json")
            self.assertEqual(len(result.json()), 1)
            self.assertEqual(len(self.ok("predict", trained()[0], os.fsdecode(path)).out.splitlines()), 2)

    def test_rates_and_channels(self):
        eight = support.wav(self.new_path("8k.wav"), support.voice(1, 1, 1)[::2], 8000)
        self.ok("predict", trained()[0], eight)

    def test_without_a_model_the_usual_one_answers(self):
        clip = support.a_clip()
        usual = self.ok("predict", clip, SERENE_MODEL=str(trained()[0]))
        self.assertIn(str(trained()[0]), usual.err)
        self.assertEqual(usual.out, self.ok("predict", trained()[0], clip).out)
        shipped = self.ok("predict", clip)
        self.assertIn("configs/pretrained/default.safetensors", shipped.err)
        self.assertIn("surprised", shipped.out)
        self.refuses(1, ["audio file"], "predict")
        self.refuses(1, ["audio file"], "predict", trained()[0])
        self.refuses(2, ["nowhere.safetensors"], "predict", clip, SERENE_MODEL="nowhere.safetensors")

    def test_refusals(self):
        self.refuses(2, ["nothing.safetensors"], "predict", "nothing.safetensors", support.a_clip())
        self.refuses(2, [support.corpus(), "best.safetensors"], "predict", support.corpus(), support.a_clip())


class FeaturesTest(CliTest):
    def read_npy(self, path):
        data = path.read_bytes()
        self.assertEqual(data[:8], b"\x93NUMPY\x01\x00")
        length, = struct.unpack("<H", data[8:10])
        self.assertEqual((10 + length) % 64, 0)
        header = eval(data[10:10 + length], {"__builtins__": {}}, {})  # a Python literal by its format
        self.assertEqual(header["descr"], "<f4")
        self.assertFalse(header["fortran_order"])
        rows, columns = header["shape"]
        values = struct.unpack(f"<{rows * columns}f", data[10 + length:])
        self.assertTrue(all(abs(v) < 1e6 for v in values))
        return rows, columns

    def test_npy(self):
        out = self.new_path("out")
        result = self.ok("features", support.a_clip(0), support.a_clip(1), "--out", out)
        self.assertEqual(len(result.out.splitlines()), 2)
        for clip, line in zip((support.a_clip(0), support.a_clip(1)), result.out.splitlines()):
            rows, columns = self.read_npy(out / (clip.stem + ".npy"))
            self.assertEqual(columns, 40)
            self.assertEqual(line, f"{out}/{clip.stem}.npy  {rows} x 40")
        self.assertEqual(self.ok("features", "--print-config").json()["n_mfcc"], 40)

    def test_presets_and_settings(self):
        for preset, settings, columns in (("logmel-64", [], 64), ("logmel-64", ["--set=n_mels=32"], 32), ("kaggle-162", ["--set=offset_s=0"], 1),
                                          ("mfcc-40", ["--set=n_mfcc=13", "--set=trim_top_db=null"], 13)):
            out = self.new_path(f"{preset}-{columns}")
            self.ok("features", support.a_clip(), "--preset", preset, "--out", out, *settings)
            rows, found = self.read_npy(out / (support.a_clip().stem + ".npy"))
            self.assertEqual(found, columns)
            if preset == "kaggle-162":
                self.assertEqual(rows, 162)

    def test_refusals(self):
        out = self.new_path("out")
        self.refuses(2, ["preset", "magic"], "features", support.a_clip(), "--preset", "magic", "--out", out)
        self.refuses(2, ["mels"], "features", support.a_clip(), "--set=mels=3", "--out", out)
        self.refuses(2, ["n_mels"], "features", support.a_clip(), "--set=n_mels=many", "--out", out)
        same = self.new_path("same")
        shutil.copytree(support.corpus() / "ravdess" / "Actor_01", same)
        clip = next(same.iterdir()).name
        self.refuses(1, [clip, "overwrite"], "features", same / clip, support.corpus() / "ravdess" / "Actor_01" / clip, "--out", out)
        result = serene("features", support.a_clip(), *support.bad_recordings(), "--out", out)
        self.assertEqual(result.code, 2)
        self.assertEqual(len(result.out.splitlines()), 1)
        self.assertEqual(len(result.err.splitlines()), len(support.bad_recordings()))
        self.assertEqual([p.name for p in out.iterdir()], [support.a_clip().stem + ".npy"])


class InspectTest(CliTest):
    def test_config_model_and_run_agree(self):
        run, _ = trained()
        config = self.ok("inspect", SMOKE, "--json").json()
        model = self.ok("inspect", run / "best.safetensors", "--json").json()
        self.assertEqual(model, self.ok("inspect", run, "--json").json())
        for key in ("layers", "parameters", "trainable", "multiply_adds", "features"):
            self.assertEqual(config[key], model[key], key)
        self.assertEqual(model["labels"], EMOTIONS)
        self.assertEqual(sum(layer["parameters"] for layer in model["layers"]), model["parameters"])

    def test_parameters_of_the_reference_model(self):
        model = self.ok("inspect", support.SOURCE / "configs" / "model_strong.json", "--json").json()
        self.assertEqual(len(model["layers"]), 13)
        self.assertGreater(model["parameters"], model["trainable"])

    def test_table(self):
        lines = self.ok("inspect", SMOKE).out.splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("#"))
        self.assertEqual(lines[head].split()[:4], ["#", "layer", "type", "settings"])
        type_at, output_end = lines[head].index("type"), lines[head].index("output") + len("output")
        for line in lines[head + 1:head + 9]:
            self.assertNotEqual(line[type_at], " ", "words stand to the left")
            self.assertNotEqual(line[output_end - 1], " ", "numbers stand to the right")
            self.assertEqual(line, line.rstrip())
        notes = self.ok("inspect", trained()[0]).out
        for word in ("labels", "mfcc-40", "temperature", "split", "holdout"):
            self.assertIn(word, notes)

    def test_comparison_of_precisions(self):
        run, _ = trained()
        result = self.ok(*support.on_corpus("inspect", "--compare", run, "--json")).json()
        rows = {row["precision"]: row for row in result["precisions"]}
        self.assertEqual(list(rows), ["full", "bf16", "int8"])
        scores = json.loads((run / "results.json").read_text())
        self.assertEqual(result["clips"], scores["clips"])
        self.assertAlmostEqual(rows["full"]["uar"], scores["uar"]["estimate"] if isinstance(scores["uar"], dict) else scores["uar"])
        self.assertEqual(rows["full"]["same_answer"], 1)
        self.assertEqual(rows["full"]["largest_difference"], 0)
        for smaller, larger in (("bf16", "full"), ("int8", "bf16")):
            self.assertLess(rows[smaller]["packed_bytes"], rows[larger]["packed_bytes"])
            self.assertLess(rows[smaller]["largest_difference"], 0.1)
            self.assertLessEqual(rows[smaller]["uar_lost"]["low"], rows[smaller]["uar_lost"]["high"])
            self.assertGreater(rows[smaller]["ms_a_clip"], 0)
        table = self.ok(*support.on_corpus("inspect", "--compare", run)).out
        for word in ("precision", "bf16", "int8", "UAR lost", "ms a clip"):
            self.assertIn(word, table)
        self.refuses(1, ["--corpus"], "inspect", "--compare", run / "best.safetensors")

    def test_refusals(self):
        self.refuses(2, ["none.json"], "inspect", "none.json")
        self.refuses(2, ["none.safetensors"], "inspect", "none.safetensors")
        self.refuses(2, [support.a_clip()], "inspect", support.a_clip())
