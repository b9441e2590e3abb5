"""Models that are damaged or made to harm: one line that names the file, exit code 2, no crash, no huge allocation."""
import hashlib
import json
import math
import struct

import support
from support import CliTest, serene, trained


def parts(data):
    length, = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + length]), data[8 + length:]


def joined(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def signed(header, body):
    """The file with the checksum that a well-meant writer would give it, so that what comes after the checksum is tested."""
    meta = header["__metadata__"]
    total = hashlib.sha256()

    def text(value):
        data = value.encode()
        total.update(str(len(data)).encode() + b":" + data)

    for key in sorted(meta):
        if key != "sha256":
            text(key), text(meta[key])
    for name in sorted(n for n in header if n != "__metadata__"):
        begin, end = header[name]["data_offsets"]
        text(name)
        total.update(str(end - begin).encode() + b":" + body[begin:end])
    meta["sha256"] = total.hexdigest()
    return joined(header, body)


class HostileModelTest(CliTest):
    def setUp(self):
        self.good = (trained()[0] / "best.safetensors").read_bytes()
        self.header, self.body = parts(self.good)

    def refuse(self, data, *words):
        path = self.new_path("model.safetensors")
        path.write_bytes(data)
        for command in (["inspect", path], ["predict", path, support.a_clip()], support.on_corpus("evaluate", path, "--corpus", "ravdess")):
            self.refuses(2, [path, *words], *command)

    def accept(self, data):
        path = self.new_path("model.safetensors")
        path.write_bytes(data)
        self.ok("inspect", path)

    def changed(self, **metadata):
        self.header["__metadata__"].update(metadata)
        return signed(self.header, self.body)

    def test_the_checksum_here_is_that_of_the_program(self):
        self.accept(signed(self.header, self.body))

    def test_not_a_model_at_all(self):
        self.refuse(b"")
        self.refuse(b"hello\n")
        self.refuse(b"This is no model, only words.\n" * 50)
        self.refuse(support.a_clip().read_bytes())
        self.refuse(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
        self.refuse(b"\0" * 5000)

    def test_cut_anywhere(self):
        for length in (4, 8, 9, 100, len(self.good) // 2, len(self.good) - 1):
            self.refuse(self.good[:length])
        self.refuse(self.good + b"x")

    def test_flipped_bit_in_the_data(self):
        for place in (len(self.good) - 1, len(self.good) - len(self.body) + 10, len(self.good) - len(self.body) // 2):
            data = bytearray(self.good)
            data[place] ^= 1
            self.refuse(bytes(data), "checksum")

    def test_flipped_bits_in_the_header(self):
        for place in range(8, len(self.good) - len(self.body), 397):
            data = bytearray(self.good)
            data[place] ^= 1
            path = self.new_path("model.safetensors")
            path.write_bytes(bytes(data))
            self.refuses(2, [path], "inspect", path)

    def test_giant_header(self):
        for length in (2**63, 2**64 - 1, 2**40, 100_000_001, len(self.good)):
            self.refuse(struct.pack("<Q", length) + self.good[8:])

    def test_offsets_and_shapes_that_lie(self):
        name = next(n for n in self.header if n != "__metadata__")
        entry = dict(self.header[name])
        for change in ({"data_offsets": [0, 2**62]}, {"data_offsets": [-4, 0]}, {"data_offsets": [8, 0]}, {"shape": [2**32, 2**32]},
                       {"shape": [2**60]}, {"shape": [-1]}, {"dtype": "F99"}, {"shape": "many"}, {"shape": []}, {"data_offsets": [0]}):
            self.header[name] = entry | change
            self.refuse(joined(self.header, self.body))

    def test_safetensors_of_somebody_else(self):
        body = struct.pack("<4f", 1, 2, 3, 4)
        self.refuse(joined({"weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, body), "not a serene checkpoint")
        self.refuse(joined({"__metadata__": {"format": "pt"}, "weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, body),
                    "not a serene checkpoint")

    def test_weights_that_are_no_numbers(self):
        for value in (math.nan, math.inf):
            body = bytearray(self.body)
            name = next(n for n in self.header if n.startswith("conv"))
            struct.pack_into("<f", body, self.header[name]["data_offsets"][0], value)
            self.refuse(signed(self.header, bytes(body)))

    def test_weights_that_overflow(self):
        body = bytearray(self.body)
        for name, entry in self.header.items():
            if name.startswith("out"):
                for at in range(*entry["data_offsets"], 4):
                    struct.pack_into("<f", body, at, 3e38)
        self.refuse(signed(self.header, bytes(body)))

    def test_changed_weights_do_not_give_the_stored_answers(self):
        body = bytearray(self.body)
        begin, end = next(e["data_offsets"] for n, e in self.header.items() if n.startswith("out"))
        body[begin:end] = bytes(end - begin)
        self.refuse(signed(self.header, bytes(body)), "example")

    def test_metadata_that_lies(self):
        layers = {"layers": [{"type": "dense", "units": 10**12}, {"type": "global_average_pooling1d"}, {"type": "dense", "units": "classes"}]}
        nested = {"type": "dense", "units": "classes"}
        for _ in range(30):
            nested = {"type": "residual", "layers": [nested]}
        meta = dict(self.header["__metadata__"])
        head = json.loads(meta["head"])
        features = json.loads(meta["features"])
        cases = [{"model": json.dumps(layers)}, {"model": json.dumps({"layers": [nested]})}, {"model": "{}"}, {"model": "[" * 5000}, {"model": "3"},
                 {"features": "[]"}, {"features": json.dumps(features | {"n_fft": 2**40})}, {"features": json.dumps(features | {"n_mfcc": 13})},
                 {"head": json.dumps(head | {"labels": []})}, {"head": json.dumps(head | {"labels": ["a"] * 10**5})},
                 {"head": json.dumps(head | {"temperature": 0})}, {"head": json.dumps(head | {"input_channels": 10**9})},
                 {"head": json.dumps(head | {"max_frames": -1})}, {"head": "null"}, {"notes": "[]"}, {"notes": '{"a": 3}'}]
        for change in cases:
            self.header["__metadata__"] = meta | change
            path = self.new_path("model.safetensors")
            path.write_bytes(signed(self.header, self.body))
            with self.subTest(str(change)[:200]):
                self.refuses(2, [path], "predict", path, support.a_clip())
                self.refuses(2, [path], *support.on_corpus("evaluate", path, "--corpus", "ravdess"))

    def test_labels_with_control_characters_stay_on_their_line(self):
        head = json.loads(self.header["__metadata__"]["head"])
        head["labels"][0] = "neu\ntral\x1b[31m"
        path = self.new_path("model.safetensors")
        path.write_bytes(self.changed(head=json.dumps(head)))
        result = serene("predict", path, support.a_clip())
        self.assertIn(result.code, (0, 2), result)
        self.assertNotIn("\x1b", result.out + result.err)
