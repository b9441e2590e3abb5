"""serene data and manifests."""
import json
import os

import support
from support import EMOTIONS, SMALL, SMOKE, CliTest, on_corpus, serene


class DataTest(CliTest):
    def test_check_finds_what_is_wrong(self):
        result = serene(*on_corpus("data", "check", "ravdess"))
        self.assertEqual(result.code, 2)
        self.assertIn("clips      96 of 1440", result.out)
        self.assertIn("missing    1344", result.out)
        report = serene(*on_corpus("data", "check", "ravdess", "--json")).json()
        self.assertIsInstance(report, dict)

    def test_check_of_a_sound_manifest(self):
        path = self.new_path("sound.jsonl")
        lines = [{"path": os.path.relpath(support.a_clip(e), path.parent), "label": l, "speaker": "a"} for e, l in enumerate(EMOTIONS)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.ok("data", "check", path)
        lines.append(lines[0] | {"id": "again", "label": "sad"})
        lines.append({"path": "none.wav", "label": "sad", "speaker": "a"})
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = serene("data", "check", path)
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.out, r"(?m)^missing 1\n +none$")
        self.assertIn("again", result.out)

    def test_list_can_be_read_again(self):
        out = self.new_path("list.jsonl")
        result = self.ok(*on_corpus("data", "list", "ravdess"))
        clips = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(len(clips), 96)
        self.assertEqual({c["label"] for c in clips}, set(EMOTIONS))
        self.assertEqual(self.ok(*on_corpus("data", "list", "ravdess", "--out", out)).out, "")
        again = [json.loads(line) for line in self.ok("data", "list", out).out.splitlines()]
        self.assertEqual([(c["id"], c["label"], c["speaker"]) for c in again], [(c["id"], c["label"], c["speaker"]) for c in clips])

    def test_splits(self):
        table = self.ok(*on_corpus("data", "splits", "ravdess", "--protocol", "random10")).out.splitlines()
        self.assertEqual(len(table), 11)
        splits = self.ok(*on_corpus("data", "splits", "ravdess", "--protocol", "random10", "--json")).json()
        tested = [clip for s in splits for clip in s["test"]]
        self.assertEqual(len(tested), 96)
        self.assertEqual(len(set(tested)), 96)
        for s in splits:
            self.assertFalse(set(s["train"]) & set(s["test"]))
        self.one_error(serene(*on_corpus("data", "splits", "ravdess", "--protocol", "magic")), 1, "magic", "holdout")
        self.one_error(serene(*on_corpus("data", "splits", "ravdess", "--protocol", "cremad-hicmae5")), 1, "cremad-hicmae5")


class ManifestTest(CliTest):
    def put(self, name, text):
        path = self.new_path(name)
        path.write_text(text)
        return path

    def test_unknown_label_names_file_and_line(self):
        clip = support.a_clip()
        path = self.put("clips.jsonl", "".join(json.dumps({"path": str(clip), "label": label, "speaker": "1", "id": str(i)}) + "\n"
                                               for i, label in enumerate(["sad", "angry", "sleepy"])))
        self.one_error(serene(*on_corpus("train", SMOKE, "--set=data.corpus=", f"--set=data.manifest={path}", '--set=labels=["sad", "angry"]',
                                         "--run", self.new_path("run"))), 2, f"{path}:3", "sleepy")

    def test_broken_manifests(self):
        for text, place in (('{"path": "a.wav"}\n', ":1"), ('{"path": "a.wav", "label": "sad"}\n{"path"\n', ":2"), ("[]\n", ":1"),
                            ('{"label": "sad"}\n', ":1"), ("\x00\n", ":1")):
            path = self.put("broken.jsonl", text)
            self.refuses(2, [f"{path}{place}"], "data", "list", path)
        path = self.put("broken.csv", "path,label,speaker\na.wav,sad,1\n\"b.wav,sad,1\n")
        self.refuses(2, [path], "data", "list", path)
        self.refuses(2, [self.put("empty.jsonl", "")], "data", "list", self.put("empty.jsonl", ""))
        self.refuses(2, ["none.jsonl"], "data", "list", "none.jsonl")
        self.refuses(1, ["elvish", "ravdess"], "data", "list", "elvish")

    def test_training_on_csv(self):
        rows = ["file,emotion,actor"]
        for actor in range(1, 7):
            rows += [f"{support.a_clip(e, actor)},{label},{actor}" for e, label in enumerate(EMOTIONS)]
        path, run = self.put("clips.csv", "\n".join(rows) + "\n"), self.new_path("run")
        result = self.ok(*on_corpus("train", SMOKE, "--set=data.corpus=", f"--set=data.manifest={path}", *SMALL, "--set=train.epochs=1",
                                    '--set=split.test_speakers=["6"]', '--set=split.validation_speakers=["5"]', "--run", run))
        self.assertIn("split holdout: 32 training, 8 validation, 8 test clips", result.err)
