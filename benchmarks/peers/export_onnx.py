#!/usr/bin/python3
"""Writes FOLDER/model.onnx: model_strong with the weights of FOLDER/model.safetensors, batch and time of any size.

    export_onnx.py FOLDER

The graph is written by hand, so that each layer is the one operator that ONNX has for it: LSTM over (time, batch,
channels) in a single call, convolution and pooling over channels first, attention as two matrix products. The protocol
buffers need nothing but numbers of variable length and pieces with their length in front.
"""
import json
import os
import struct
import sys

import numpy as np

FLOAT, INT64 = 1, 7


def read_tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[8 + size + e["data_offsets"][0]:8 + size + e["data_offsets"][1]],
                                "<f4").reshape(e["shape"]) for name, e in header.items() if e["dtype"] == "F32"}


# Protocol buffers: a field is a key (number, kind) and a varint (kind 0) or bytes with their length (kind 2).
def varint(n):
    out = bytearray()
    while True:
        out.append(n & 0x7F | (0x80 if n > 0x7F else 0))
        n >>= 7
        if not n:
            return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value & (2 ** 64 - 1))


def piece(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    head = piece(1, name)
    if isinstance(value, float):
        return head + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, int):
        return head + number(3, value) + number(20, 2)
    if isinstance(value, str):
        return head + piece(4, value) + number(20, 3)
    return head + b"".join(number(8, v) for v in value) + number(20, 7)


def tensor(name, values):
    values = np.ascontiguousarray(values)
    kind = INT64 if values.dtype == np.int64 else FLOAT
    return (b"".join(number(1, d) for d in values.shape) + number(2, kind) + piece(8, name) + piece(9, values.tobytes()))


def value_info(name, dims):
    shape = b"".join(piece(1, piece(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return piece(1, name) + piece(2, piece(1, number(1, FLOAT) + piece(2, shape)))


class Graph:
    def __init__(self):
        self.nodes, self.tensors, self.count = [], [], 0

    def constant(self, name, values):
        self.tensors.append(tensor(name, values))
        return name

    def node(self, kind, inputs, output=None, **attributes):
        self.count += 1
        output = output or "v%d" % self.count
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(b"".join(piece(1, i) for i in inputs) + b"".join(piece(2, o) for o in outputs) +
                          piece(4, kind) + b"".join(piece(5, attribute(k, v)) for k, v in attributes.items()))
        return outputs[0]

    def model(self, inputs, outputs):
        graph = (b"".join(piece(1, n) for n in self.nodes) + piece(2, "model_strong") +
                 b"".join(piece(5, t) for t in self.tensors) + b"".join(piece(11, i) for i in inputs) +
                 b"".join(piece(12, o) for o in outputs))
        return number(1, 8) + piece(2, "serene") + piece(7, graph) + piece(8, piece(1, "") + number(2, 17))


def convolution(g, t, name, x):
    kernel = t[name + ".kernel"].transpose(2, 1, 0)
    side = (kernel.shape[2] - 1) // 2
    y = g.node("Conv", [x, g.constant(name + ".w", kernel), g.constant(name + ".b", t[name + ".bias"])],
               kernel_shape=[kernel.shape[2]], pads=[side, side])
    return g.node("MaxPool", [g.node("Relu", [y])], kernel_shape=[5], strides=[2], auto_pad="SAME_UPPER")


def by_onnx_gates(a):
    """Keras' columns i,f,c,o to ONNX' rows i,o,f,c."""
    i, f, c, o = np.split(a, 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1).T


def lstm(g, t, name, x):
    """(time, batch, channels) to (batch, time, units)."""
    units = t[name + ".recurrent"].shape[0]
    bias = np.concatenate([by_onnx_gates(t[name + ".bias"]), np.zeros(4 * units, np.float32)])
    weights = [g.constant(name + ".w", by_onnx_gates(t[name + ".kernel"])[None]),
               g.constant(name + ".r", by_onnx_gates(t[name + ".recurrent"])[None]), g.constant(name + ".b", bias[None])]
    y = g.node("LSTM", [x] + weights, hidden_size=units)
    return g.node("Transpose", [g.node("Squeeze", [y, "axis1"])], perm=[1, 0, 2])


def attention(g, x):
    scores = g.node("MatMul", [g.node("Mul", [x, "scale"]), g.node("Transpose", [x], perm=[0, 2, 1])])
    return g.node("MatMul", [g.node("Softmax", [scores], axis=-1), x])


def build(t):
    g = Graph()
    g.constant("axis1", np.array([1], np.int64))
    g.constant("scale", np.array(t["lstm1.recurrent"].shape[0] ** -0.5, np.float32))
    x = g.node("Transpose", ["x"], perm=[0, 2, 1])
    x = convolution(g, t, "conv2", convolution(g, t, "conv1", x))
    x = attention(g, lstm(g, t, "lstm1", g.node("Transpose", [x], perm=[2, 0, 1])))
    x = attention(g, lstm(g, t, "lstm2", g.node("Transpose", [x], perm=[1, 0, 2])))
    x = g.node("ReduceMean", [x], axes=[1], keepdims=0)
    x = g.node("Gemm", [x, g.constant("dense1.w", t["dense1.kernel"]), g.constant("dense1.b", t["dense1.bias"])])
    names = ("bn.gamma", "bn.beta", "bn.moving_mean", "bn.moving_variance")
    x = g.node("BatchNormalization", [g.node("Relu", [x])] + [g.constant(n, t[n]) for n in names], epsilon=1e-3)
    x = g.node("Gemm", [x, g.constant("dense2.w", t["dense2.kernel"]), g.constant("dense2.b", t["dense2.bias"])])
    g.node("Softmax", [x], "probabilities", axis=-1)
    return g.model([value_info("x", ["batch", "time", t["conv1.kernel"].shape[1]])],
                   [value_info("probabilities", ["batch", t["dense2.bias"].shape[0]])])


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(os.path.join(sys.argv[1], "model.onnx"), "wb") as f:
        f.write(build(read_tensors(os.path.join(sys.argv[1], "model.safetensors"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
