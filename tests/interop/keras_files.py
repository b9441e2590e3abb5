#!/usr/bin/python3
"""Weights as Keras writes them, made with h5py alone, and files that only look like it.

    keras_files.py FOLDER

writes config.json (layers of every kind that Keras has), expected.safetensors (the weights by serene's names), the good
files legacy.h5, legacy_weights.h5, legacy_3.h5, v3.weights.h5, v3_named.weights.h5, model.keras, and bad_*.* with what
is wrong in their names. The layouts are those that Keras 2 (model.save, save_weights) and Keras 3 write.
"""
import io
import json
import os
import struct
import sys
import zipfile

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import safetensors_file  # noqa: E402

LAYERS = [
    {"type": "conv1d", "name": "first", "filters": 6, "kernel_size": 3, "padding": "same"},
    {"type": "batch_norm", "name": "norm"},
    {"type": "depthwise_conv1d", "name": "each", "kernel_size": 3, "padding": "same"},
    {"type": "separable_conv1d", "name": "halves", "filters": 5, "kernel_size": 2, "padding": "same"},
    {"type": "conv1d", "name": "second", "filters": 4, "kernel_size": 1, "use_bias": False},
    {"type": "dropout", "name": "drop"},
    {"type": "lstm", "name": "memory", "units": 3, "return_sequences": True},
    {"type": "gru", "name": "gates", "units": 4, "return_sequences": True},
    {"type": "bidirectional", "name": "forward_and_back", "layer": {"type": "lstm", "units": 2, "return_sequences": True}},
    {"type": "multi_head_attention", "name": "heads", "num_heads": 2, "key_dim": 3},
    {"type": "layer_norm", "name": "frames"},
    {"type": "global_average_pooling1d", "name": "mean"},
    {"type": "dense", "name": "wide", "units": 7, "activation": "relu"},
    {"type": "dense", "name": "answer", "units": "classes"},
]
# serene's layer: {serene's parameter: (shape, name in Keras' legacy files, path in Keras 3's)}
V = "vars/"
NORM = {"gamma": "0", "beta": "1", "moving_mean": "2", "moving_variance": "3"}
GATES = [("kernel", "kernel", 0), ("recurrent", "recurrent_kernel", 1), ("bias", "bias", 2)]


def recurrent(cell, inputs, units, gates, bias, old="", new="", prefix=""):
    shapes = {"kernel": (inputs, gates * units), "recurrent": (units, gates * units), "bias": bias}
    return {prefix + name: (shapes[name], f"{old}{cell}_cell/{legacy}", f"{new}cell/{V}{i}") for name, legacy, i in GATES}


def attention(width, heads, size):
    out = {}
    for name in ("query", "key", "value"):
        out[f"{name}_kernel"] = ((width, heads, size), f"{name}/kernel", f"_{name}_dense/{V}0")
        out[f"{name}_bias"] = ((heads, size), f"{name}/bias", f"_{name}_dense/{V}1")
    out["output_kernel"] = ((heads, size, width), "attention_output/kernel", f"_output_dense/{V}0")
    out["output_bias"] = ((width,), "attention_output/bias", f"_output_dense/{V}1")
    return out


WEIGHTS = {
    "first": {"kernel": ((3, 40, 6), "kernel", V + "0"), "bias": ((6,), "bias", V + "1")},
    "norm": {n: ((6,), n, V + i) for n, i in NORM.items()},
    "each": {"kernel": ((3, 6, 1), "depthwise_kernel", V + "0"), "bias": ((6,), "bias", V + "1")},
    "halves": {"depthwise.kernel": ((2, 6, 1), "depthwise_kernel", V + "0"),
               "pointwise.kernel": ((1, 6, 5), "pointwise_kernel", V + "1"), "pointwise.bias": ((5,), "bias", V + "2")},
    "second": {"kernel": ((1, 5, 4), "kernel", V + "0")},
    "memory": recurrent("lstm", 4, 3, 4, (12,)),
    "gates": recurrent("gru", 3, 4, 3, (2, 12)),
    "forward_and_back": {**recurrent("lstm", 4, 2, 4, (8,), "forward_lstm/", "forward_layer/", "fw_"),
                         **recurrent("lstm", 4, 2, 4, (8,), "backward_lstm/", "backward_layer/", "bw_")},
    "heads": attention(4, 2, 3),
    "frames": {"gamma": ((4,), "gamma", V + "0"), "beta": ((4,), "beta", V + "1")},
    "wide": {"kernel": ((4, 7), "kernel", V + "0"), "bias": ((7,), "bias", V + "1")},
    "answer": {"kernel": ((7, 3), "kernel", V + "0"), "bias": ((3,), "bias", V + "1")},
}
# As Keras 3 counts classes: in the order of the layers.
COUNTED = {"first": "conv1d", "norm": "batch_normalization", "each": "depthwise_conv1d", "halves": "separable_conv1d",
           "second": "conv1d_1", "memory": "lstm", "gates": "gru", "forward_and_back": "bidirectional",
           "heads": "multi_head_attention", "frames": "layer_normalization", "wide": "dense", "answer": "dense_1"}


def make_values():
    rng = np.random.default_rng(5)
    values = {}
    for layer, tensors in WEIGHTS.items():
        for name, (shape, _, _) in tensors.items():
            values[layer, name] = rng.normal(0, 0.4, shape).astype(np.float32)
            if name == "moving_variance":
                values[layer, name] = np.abs(values[layer, name]) + np.float32(0.5)
    return values


def legacy(path, values, root="model_weights/", suffix=":0", model="", skip=()):
    """Keras 2's model.save("x.h5") and save_weights; Keras 3's legacy form has no suffix and the model's name in front."""
    with h5py.File(path, "w") as file:
        top = file.require_group(root) if root else file
        top.attrs["backend"] = b"tensorflow"
        top.attrs["layer_names"] = [layer["name"].encode() for layer in LAYERS]
        file.require_group(root + "top_level_model_weights").attrs["weight_names"] = []
        for layer in LAYERS:
            name, group = layer["name"], top.require_group(layer["name"])
            names = []
            for parameter, (_, old, _) in WEIGHTS.get(name, {}).items():
                if (name, parameter) in skip or name in skip:
                    continue
                full = f"{model}{name}/{old}{suffix}"
                group.create_dataset(full, data=values[name, parameter])
                names.append(full.encode())
            group.attrs["weight_names"] = names
        if root:
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential"})
            file.create_dataset("optimizer_weights/Adam/iteration:0", data=np.int64(3))
            file.create_dataset("optimizer_weights/Adam/m:0", data=np.ones((5, 5), np.float32))


def keras3(target, values, names, change=None):
    with h5py.File(target, "w") as file:
        for layer in LAYERS:
            name = layer["name"]
            group = f"layers/{names.get(name, layer['type'])}"
            file.require_group(group + "/vars")
            for parameter, (_, _, path) in WEIGHTS.get(name, {}).items():
                file.create_dataset(f"{group}/{path}", data=values[name, parameter])
        file.create_dataset("layers/dropout/seed_generator/vars/0", data=np.array([1, 2], np.uint32))
        file.create_dataset("optimizer/vars/0", data=np.int64(7))
        file.require_group("vars")
        if change:
            change(file)


def archive(path, weights, name="model.weights.h5"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", "{}")
        lambda_layer = {"class_name": "Lambda", "config": {"function": ["raise SystemExit('executed')"]}}
        file.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [lambda_layer]}}))
        file.writestr(name, weights)


def in_memory(values, names, change=None):
    buffer = io.BytesIO()
    keras3(buffer, values, names, change)
    return buffer.getvalue()


def hostile(values):
    def write(name, data):
        with open(name, "wb") as file:
            file.write(data)

    def v3(name, change):
        keras3(f"bad_{name}.weights.h5", values, COUNTED, change)

    good = in_memory(values, COUNTED)
    write("bad_empty.h5", b"")
    write("bad_text.h5", b"not HDF5 at all\n" * 100)
    for share in (20, 60, 95):
        write(f"bad_truncated_{share}.h5", good[:len(good) * share // 100])
    legacy("bad_missing_layer.h5", values, skip=("memory",))
    legacy("bad_missing_tensor.h5", values, skip=(("memory", "bias"),))
    v3("extra_layer", lambda f: f.create_dataset("layers/dense_2/vars/0", data=np.ones((2, 2), np.float32)))
    v3("extra_tensor", lambda f: f.create_dataset("layers/dense/vars/2", data=np.ones(2, np.float32)))

    def reshape(f):
        del f["layers/dense/vars/0"]
        f["layers/dense/vars/0"] = np.ones((7, 4), np.float32)
    v3("wrong_shape", reshape)

    def words(f):
        del f["layers/dense/vars/1"]
        f["layers/dense/vars/1"] = np.array([b"ab"] * 7)
    v3("words", words)

    def nan(f):
        f["layers/dense/vars/1"][3] = np.nan
    v3("nan", nan)

    def cycle(f):
        f["layers/dense/again"] = f["layers"]
    v3("cycle", cycle)

    def soft(f):
        del f["layers/dense/vars/1"]
        f["layers/dense/vars/1"] = h5py.SoftLink("/layers/dense_1/vars/1")
    v3("soft_link", soft)

    def external(f):
        del f["layers/dense/vars/1"]
        f["layers/dense/vars/1"] = h5py.ExternalLink("model.weights.h5", "/layers/dense/vars/1")
    v3("external_link", external)

    def storage(f):
        del f["layers/dense/vars/1"]
        f.create_dataset("layers/dense/vars/1", (7,), "<f4", external=[("config.json", 0, 28)])
    v3("external_storage", storage)

    def virtual(f):
        del f["layers/dense/vars/1"]
        layout = h5py.VirtualLayout((7,), "<f4")
        layout[:] = h5py.VirtualSource("v3.weights.h5", "layers/dense/vars/1", (7,))
        f.create_virtual_dataset("layers/dense/vars/1", layout)
    v3("virtual", virtual)
    v3("huge", lambda f: f.create_dataset("layers/dense/vars/9", (1 << 20, 1 << 20), "<f4", chunks=(64, 64)))
    v3("many_numbers", lambda f: [f.create_dataset(f"layers/dense/vars/9{i}", (1 << 25,), "<f4", chunks=(64,)) for i in range(3)])
    archive("bad_no_weights.keras", good, "other.h5")
    archive("bad_bomb.keras", b"\x89HDF\r\n\x1a\n" + bytes(300 << 20))
    archive("bad_truncated_h5.keras", good[:len(good) // 2])
    whole = open("model.keras", "rb").read()
    write("bad_truncated.keras", whole[:len(whole) // 2])
    lie = bytearray(whole)  # the central directory says that the weights are 1000 bytes
    at = lie.rindex(b"PK\x01\x02")
    lie[at + 24:at + 28] = struct.pack("<I", 1000)
    write("bad_lie.keras", bytes(lie))
    bits = np.random.default_rng(1)
    for i in range(12):
        damaged = bytearray(good)
        for place in bits.integers(0, len(good), 40):
            damaged[place] ^= 1 << bits.integers(0, 8)
        write(f"flipped_{i}.h5", bytes(damaged))


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    os.chdir(sys.argv[1])
    values = make_values()
    with open("config.json", "w", encoding="utf-8") as file:
        json.dump({"name": "from_keras", "model": {"layers": LAYERS}}, file)
    safetensors_file.write("expected.safetensors", {f"{layer}.{name}": ("F32", list(v.shape), v.tobytes())
                                                    for (layer, name), v in values.items()})
    legacy("legacy.h5", values)
    legacy("legacy_weights.h5", values, root="")
    legacy("legacy_3.h5", values, suffix="", model="sequential/")
    keras3("v3.weights.h5", values, COUNTED)
    keras3("v3_named.weights.h5", values, {layer: layer for layer in WEIGHTS})
    archive("model.keras", in_memory(values, COUNTED))
    hostile(values)
    np.save("normalizer.npy", np.stack([np.linspace(-3, 3, 40), np.linspace(0.5, 2, 40)]))
    np.save("bad_normalizer.npy", np.zeros((2, 40)))


if __name__ == "__main__":
    main()
