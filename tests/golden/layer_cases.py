"""The own layer cases: inputs drawn from a fixed stream (exactly representable in float32), results by the oracle."""
import zlib

import numpy as np

from layer_oracle import as_leaves, evaluate, forward

USUAL = {"float64": {"rtol": 1e-9, "atol": 1e-11}, "float32": {"rtol": 1e-4, "atol": 2e-6}}
TRAJECTORY = {"float64": {"rtol": 1e-9, "atol": 1e-11}, "float32": {"rtol": 1e-3, "atol": 2e-5}}
MODEL = {"float64": {"rtol": 1e-6, "atol": 1e-7},
         "float32": {"probs_atol": 1e-5, "loss_rtol": 1e-4, "grad": "max|a-b| <= 1e-4*max|b| per tensor (plus 1e-6)",
                     "adam20_loss": "abs <= 2e-3*loss[0] + 2e-2*loss[t]"}}
SIZES = {"B": 3, "T": 9, "C": 3, "Fo": 5, "U": 3, "K": 6, "D": 4, "H": 2, "dk": 2, "A": 4}
LENGTHS = [9, 5, 2]
BN_NOTE = "three training-mode calls, then one eval-mode call with the final moving stats; gradients are per call"
TRAJ_NOTE = ("traj.*[0] is the initial value, traj.*[t] the value after t steps; grad.*[t] and loss[t] are before step "
             "t+1 (grad before clipping)")


class Draw:
    """Random arrays of one case; the stream depends on the case's name alone (RandomState is frozen by NumPy)."""

    def __init__(self, case):
        self.state = np.random.RandomState(zlib.crc32(("serene " + case).encode()) & 0x7FFFFFFF)

    def normal(self, *shape, scale=1.0, shift=0.0):
        return (shift + scale * self.state.standard_normal(shape)).astype(np.float32).astype(np.float64)

    def uniform(self, low, high, *shape):
        return self.state.uniform(low, high, shape).astype(np.float32).astype(np.float64)

    def integers(self, count, *shape):
        return self.state.randint(0, count, shape).astype(np.float64)

    def keep(self, rate, *shape):
        return (self.state.uniform(0, 1, shape) >= rate).astype(np.float64)


def mask_tensors():
    lengths = np.array(LENGTHS, dtype=np.float64)
    return {"aux.lengths": lengths, "aux.mask": (np.arange(SIZES["T"])[None, :] < lengths[:, None]).astype(np.float64)}


def finish(case, op, hyper, tensors, outputs, draw, keras=True, note=None):
    """Adds upstream gradients for the outputs of given shapes and the expected arrays."""
    tensors.update({"grad_out." + n: draw.normal(*shape) for n, shape in outputs.items()})
    tensors.update(evaluate(op, hyper, tensors))
    return {"case": case, "op": op, "hyper": hyper, "keras": keras, "tensors": tensors, "tolerance": USUAL,
            "note": note}


def output_shape(op, hyper, tensors):
    return {n: v.shape for n, v in forward(op, hyper, as_leaves(tensors)).items() if n != "weights"}


def simple(case, op, hyper, make, keras=True, note=None):
    draw = Draw(case)
    tensors = make(draw)
    return finish(case, op, hyper, tensors, output_shape(op, hyper, tensors), draw, keras, note)


def conv_cases():
    s, cases = SIZES, []
    variants = [("%s_k%d_s%d_d%d" % (p, k, st, d), k, st, d, p, "linear", True, s["T"])
                for p in ("same", "valid", "causal") for k in (3, 4) for st in (1, 2) for d in (1, 2)
                if p == "same" or k == 3]
    variants += [("same_k5_relu", 5, 1, 1, "same", "relu", True, s["T"]),
                 ("same_k7_relu", 7, 1, 1, "same", "relu", True, s["T"]),
                 ("same_k5_nobias", 5, 1, 1, "same", "linear", False, s["T"]),
                 ("same_short", 7, 1, 1, "same", "linear", True, 2)]
    for name, k, stride, dilation, padding, activation, bias, length in variants:
        hyper = {"kernel_size": k, "filters": s["Fo"], "strides": stride, "dilation_rate": dilation, "padding": padding,
                 "activation": activation, "use_bias": bias}

        def make(draw, k=k, bias=bias, length=length):
            t = {"in.x": draw.normal(s["B"], length, s["C"]),
                 "param.kernel": draw.normal(k, s["C"], s["Fo"], scale=0.5)}
            return dict(t, **{"param.bias": draw.normal(s["Fo"], scale=0.5)}) if bias else t

        extension = stride > 1 and dilation > 1
        cases.append(simple("conv1d_%s_s0" % name, "Conv1D", hyper, make, not extension,
                            "extension: Keras itself refuses strides>1 together with dilation_rate>1"
                            if extension else None))
    return cases


def pool_cases():
    s, cases = SIZES, []
    shape = (s["B"], s["T"], s["C"])
    for size, stride, padding in ((5, 2, "same"), (3, 1, "same"), (5, 2, "valid"), (2, 2, "valid"), (2, 2, "same"),
                                  (4, 3, "same")):
        base = {"pool_size": size, "strides": stride, "padding": padding}
        tail = "p%d_s%d_%s_s0" % (size, stride, padding)
        cases.append(simple("maxpool1d_" + tail, "MaxPool1D", base, lambda d: {"in.x": d.normal(*shape)}))
        cases.append(simple("avgpool1d_" + tail, "AveragePool1D", dict(base, count_include_pad=False),
                            lambda d: {"in.x": d.normal(*shape)}))
    hyper = {"pool_size": 5, "strides": 2, "padding": "same"}
    cases.append(simple("maxpool1d_neg_s0", "MaxPool1D", hyper, lambda d: {"in.x": d.uniform(-3.0, -0.5, *shape)},
                        note="all inputs negative: zero padding instead of -inf would show"))
    cases.append(simple("maxpool1d_ties_s0", "MaxPool1D", dict(hyper, tie="first"),
                        lambda d: {"in.x": np.maximum(0.0, d.integers(4, *shape) - 1.0)},
                        note="many ties (as after relu); the gradient goes to the FIRST maximum in the window"))
    for kind, op in (("gap1d", "GlobalAveragePooling1D"), ("gmp1d", "GlobalMaxPooling1D")):
        for masked in (False, True):
            cases.append(simple("%s_%s_s0" % (kind, "mask" if masked else "nomask"), op, {"masked": masked},
                                lambda d, m=masked: dict({"in.x": d.normal(*shape)}, **(mask_tensors() if m else {})),
                                not (masked and kind == "gmp1d")))
    return cases


def grid_cases():
    """Layers over time and frequency: inputs stay (batch, time, frequency * maps), maps fastest."""
    s, cases = SIZES, []
    for name, bins, maps, kernel, strides, padding, activation, bias, length in (
            ("same_k3x3", 6, 2, (3, 3), (1, 1), "same", "linear", True, s["T"]),
            ("same_k3x3_relu", 8, 1, (3, 3), (1, 1), "same", "relu", True, s["T"]),
            ("same_k2x4", 5, 3, (2, 4), (1, 1), "same", "linear", True, s["T"]),
            ("same_k3x3_s2x2", 7, 2, (3, 3), (2, 2), "same", "linear", True, s["T"]),
            ("same_k5x2_s1x3", 8, 2, (5, 2), (1, 3), "same", "gelu", False, s["T"]),
            ("valid_k3x2", 5, 2, (3, 2), (1, 1), "valid", "linear", True, s["T"]),
            ("valid_k2x3_s2x2", 8, 2, (2, 3), (2, 2), "valid", "tanh", True, s["T"]),
            ("valid_whole_height", 4, 3, (3, 4), (1, 1), "valid", "linear", True, s["T"]),
            ("same_short", 4, 2, (7, 5), (1, 1), "same", "linear", True, 2)):
        hyper = {"filters": s["Fo"], "maps": maps, "kernel_size": list(kernel), "strides": list(strides),
                 "padding": padding, "activation": activation, "use_bias": bias}

        def make(draw, bins=bins, maps=maps, kernel=kernel, bias=bias, length=length):
            t = {"in.x": draw.normal(s["B"], length, bins * maps),
                 "param.kernel": draw.normal(*kernel, maps, s["Fo"], scale=0.4)}
            return dict(t, **{"param.bias": draw.normal(s["Fo"], scale=0.5)}) if bias else t

        cases.append(simple("conv2d_%s_s0" % name, "Conv2D", hyper, make))
    for size, strides, padding, bins in (((2, 2), (2, 2), "valid", 7), ((2, 2), (2, 2), "same", 7),
                                         ((3, 4), (2, 3), "same", 8), ((1, 6), (1, 6), "valid", 6),
                                         ((3, 2), (1, 1), "same", 5)):
        base = {"maps": 2, "pool_size": list(size), "strides": list(strides), "padding": padding}
        tail = "p%dx%d_s%dx%d_%s_s0" % (size + strides + (padding,))
        shape = (s["B"], s["T"], bins * 2)
        cases.append(simple("maxpool2d_" + tail, "MaxPool2D", base, lambda d, n=shape: {"in.x": d.normal(*n)}))
        cases.append(simple("avgpool2d_" + tail, "AveragePool2D", dict(base, count_include_pad=False),
                            lambda d, n=shape: {"in.x": d.normal(*n)}))
    hyper = {"maps": 2, "pool_size": [3, 3], "strides": [2, 2], "padding": "same", "tie": "first"}
    cases.append(simple("maxpool2d_ties_s0", "MaxPool2D", hyper, lambda d: {
        "in.x": np.maximum(0.0, d.integers(4, s["B"], s["T"], 12) - 1.0)},
        note="many ties; the gradient goes to the FIRST maximum in the window, time before frequency"))
    return cases


def norm_cases():
    s, cases = SIZES, []
    c = s["C"]
    for name, shape, momentum, epsilon in (("3d", (s["B"], s["T"], c), 0.99, 1e-3), ("2d", (6, c), 0.99, 1e-3),
                                           ("3d_m0.9_e1e-5", (s["B"], s["T"], c), 0.9, 1e-5)):
        case = "batchnorm_%s_s0" % name
        draw, calls = Draw(case), ("0", "1", "2", "_eval")
        t = {"in.x" + k: draw.normal(*shape, scale=1.5, shift=0.4) for k in calls}
        t.update({"param.gamma": draw.normal(c, scale=0.2, shift=1.0), "param.beta": draw.normal(c, scale=0.3),
                  "in.moving_mean0": np.zeros(c), "in.moving_var0": np.ones(c)})
        cases.append(finish(case, "BatchNorm", {"momentum": momentum, "epsilon": epsilon, "axis": -1}, t,
                            {"y" + k: shape for k in calls}, draw, note=BN_NOTE))
    case, draw, calls = "batchnorm_maps_s0", Draw("batchnorm_maps_s0"), ("0", "1", "2", "_eval")
    shape = (s["B"], s["T"], 4 * c)
    t = {"in.x" + k: draw.normal(*shape, scale=1.5, shift=0.4) for k in calls}
    t.update({"param.gamma": draw.normal(c, scale=0.2, shift=1.0), "param.beta": draw.normal(c, scale=0.3),
              "in.moving_mean0": np.zeros(c), "in.moving_var0": np.ones(c)})
    cases.append(finish(case, "BatchNorm", {"momentum": 0.99, "epsilon": 1e-3, "axis": -1, "maps": c}, t,
                        {"y" + k: shape for k in calls}, draw, note=BN_NOTE + "; frequencies share the statistics"))
    for epsilon in (0.001, 1e-05):
        cases.append(simple("layernorm_e%g_s0" % epsilon, "LayerNorm", {"epsilon": epsilon, "axis": -1}, lambda d: {
            "in.x": d.normal(s["B"], s["T"], c), "param.gamma": d.normal(c, scale=0.2, shift=1.0),
            "param.beta": d.normal(c, scale=0.3)}))
    return cases


def dense_and_activation_cases():
    s, cases = SIZES, []
    flat, deep = (s["B"], s["C"]), (s["B"], s["T"], s["C"])
    for name, shape, activation, bias in (("2d", flat, "linear", True), ("3d_relu", deep, "relu", True),
                                          ("2d_nobias", flat, "linear", False), ("2d_softmax", flat, "softmax", True),
                                          ("2d_tanh", flat, "tanh", True)):
        def make(draw, shape=shape, bias=bias):
            t = {"in.x": draw.normal(*shape), "param.kernel": draw.normal(s["C"], s["Fo"], scale=0.7)}
            return dict(t, **{"param.bias": draw.normal(s["Fo"], scale=0.5)}) if bias else t
        cases.append(simple("dense_%s_s0" % name, "Dense",
                            {"units": s["Fo"], "activation": activation, "use_bias": bias}, make))
    for name in ("relu", "gelu", "gelu_tanh", "swish", "tanh", "sigmoid", "softmax", "log_softmax", "leaky_relu_0.3",
                 "elu", "softplus"):
        cases.append(simple("act_%s_s0" % name, "Activation", {"activation": name},
                            lambda d: {"in.x": d.normal(*deep, scale=2.0)}))
    edge = np.array([-700.0, -50.0, -25.0, -0.002, 0.0, 0.002, 25.0, 50.0, 700.0]).astype(np.float32).astype(np.float64)
    for name in ("sigmoid", "tanh", "swish", "gelu", "softmax", "log_softmax", "softplus"):
        cases.append(simple("act_%s_extreme_s0" % name, "Activation", {"activation": name},
                            lambda d: {"in.x": np.stack([edge, edge[::-1]])},
                            note="extreme inputs: no NaN/Inf allowed"))
    for name, op, rate in (("dropout_r0.5", "Dropout", 0.5), ("dropout_r0.3", "Dropout", 0.3),
                           ("spatialdropout1d", "SpatialDropout1D", 0.4)):
        keep = (s["B"], 1, s["C"]) if op != "Dropout" else deep
        cases.append(simple(name + "_s0", op, {"rate": rate}, lambda d, k=keep, r=rate: {
            "in.x": d.normal(*deep), "aux.keep_mask": d.keep(r, *k)}))
    return cases


def recurrent_parameters(draw, kind, prefix):
    c, u, gates = SIZES["C"], SIZES["U"], 4 if kind == "lstm" else 3
    shapes = {"kernel": (c, gates * u), "recurrent": (u, gates * u),
              "bias": (gates * u,) if kind == "lstm" else (2, gates * u)}
    return {"param." + prefix + n: draw.normal(*shape, scale=0.5) for n, shape in shapes.items()}


def recurrent_case(kind, bidirectional, sequences, masked, output, name):
    op = ("Bi" if bidirectional else "") + kind.upper()
    hyper = {"units": SIZES["U"], "gate_order": "i,f,c,o" if kind == "lstm" else "z,r,h"}
    if kind == "gru":
        hyper["reset_after"] = True
    hyper.update({"activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": sequences,
                  "masked": masked, "masked_output": output})
    if bidirectional:
        hyper["merge_mode"] = "concat"

    def make(draw):
        t = {"in.x": draw.normal(SIZES["B"], SIZES["T"], SIZES["C"])}
        for prefix in (("fw_", "bw_") if bidirectional else ("",)):
            t.update(recurrent_parameters(draw, kind, prefix))
        return dict(t, **(mask_tensors() if masked else {}))

    return simple("%s%s_%s_s0" % ("bi" if bidirectional else "", kind, name), op, hyper, make)


def recurrent_cases():
    cases = []
    for kind in ("lstm", "gru"):
        for bi in (False, True):
            cases.append(recurrent_case(kind, bi, True, False, None, "seq"))
            cases.append(recurrent_case(kind, bi, False, False, None, "last"))
            cases.append(recurrent_case(kind, bi, True, True, "zero", "seq_mask_zero"))
            cases.append(recurrent_case(kind, bi, False, True, None, "last_mask"))
        cases.append(recurrent_case(kind, False, True, True, "carry", "seq_mask_carry"))
    hyper = {"units": SIZES["U"], "gate_order": "i,f,c,o", "activation": "tanh", "recurrent_activation": "sigmoid",
             "return_sequences": True, "return_state": True, "masked": False, "masked_output": None}
    state = (SIZES["B"], SIZES["U"])
    cases.append(simple("lstm_state_s0", "LSTM", hyper, lambda d: dict(
        {"in.x": d.normal(SIZES["B"], SIZES["T"], SIZES["C"]), "in.h0": d.normal(*state, scale=0.5),
         "in.c0": d.normal(*state, scale=0.5)}, **recurrent_parameters(d, "lstm", "")),
        note="given initial state; upstream gradients on the sequence and on the final h and c"))
    return cases


def attention_cases():
    s, cases = SIZES, []
    for name, masked, zeroed in (("nomask", False, False), ("mask", True, False), ("mask_query_zero", True, True)):
        cases.append(simple("selfattn_%s_s0" % name, "SelfAttention",
                            {"scale": "1/sqrt(C)", "key_mask": masked, "query_rows_zeroed": zeroed},
                            lambda d, m=masked: dict({"in.x": d.normal(s["B"], s["T"], s["C"])},
                                                     **(mask_tensors() if m else {}))))
    head = (s["H"], s["dk"])

    def multi_head(draw, masked):
        t = {"in.x": draw.normal(s["B"], s["T"], s["D"])}
        for n in ("query", "key", "value"):
            t["param.%s_kernel" % n] = draw.normal(s["D"], *head, scale=0.5)
            t["param.%s_bias" % n] = draw.normal(*head, scale=0.5)
        t.update({"param.output_kernel": draw.normal(*head, s["D"], scale=0.5),
                  "param.output_bias": draw.normal(s["D"], scale=0.5)})
        return dict(t, **(mask_tensors() if masked else {}))

    def pooling(draw, masked):
        t = {"in.x": draw.normal(s["B"], s["T"], s["C"]), "param.W": draw.normal(s["C"], s["A"]),
             "param.b": draw.normal(s["A"], scale=0.5), "param.v": draw.normal(s["A"])}
        return dict(t, **(mask_tensors() if masked else {}))

    for masked in (False, True):
        tail = "mask_s0" if masked else "nomask_s0"
        cases.append(simple("mha_" + tail, "MultiHeadAttention",
                            {"num_heads": s["H"], "key_dim": s["dk"], "use_bias": True, "key_mask": masked},
                            lambda d, m=masked: multi_head(d, m)))
        cases.append(simple("addattnpool_" + tail, "AdditiveAttentionPooling",
                            {"attention_units": s["A"], "masked": masked}, lambda d, m=masked: pooling(d, m), False))
        cases.append(simple("attnstatpool_" + tail, "AttentiveStatisticsPooling",
                            {"attention_units": s["A"], "masked": masked, "var_clamp": 1e-12},
                            lambda d, m=masked: pooling(d, m), False))
    return cases


def depthwise_cases():
    s, cases = SIZES, []
    variants = [("%s_k%d_s%d_d%d" % (p, k, st, d), k, st, d, p, "linear", True, s["T"])
                for p in ("same", "valid", "causal") for k in (3, 4) for st in (1, 2) for d in (1, 2)
                if p == "same" or k == 3]
    variants += [("same_k7_swish", 7, 1, 1, "same", "swish", True, s["T"]),
                 ("same_k5_relu_nobias", 5, 1, 1, "same", "relu", False, s["T"]),
                 ("same_short", 7, 1, 1, "same", "linear", True, 2)]
    for name, k, stride, dilation, padding, activation, bias, length in variants:
        hyper = {"kernel_size": k, "strides": stride, "dilation_rate": dilation, "padding": padding,
                 "depth_multiplier": 1, "activation": activation, "use_bias": bias}

        def make(draw, k=k, bias=bias, length=length):
            t = {"in.x": draw.normal(s["B"], length, s["Fo"]), "param.kernel": draw.normal(k, s["Fo"], 1, scale=0.5)}
            return dict(t, **{"param.bias": draw.normal(s["Fo"], scale=0.5)}) if bias else t

        cases.append(simple("depthwise1d_%s_s0" % name, "DepthwiseConv1D", hyper, make,
                            not (stride > 1 and dilation > 1)))
    return cases


def block_cases():
    """Squeeze and excitation, highway, residual with a shortcut of its own."""
    s, cases = SIZES, []

    def excitation(draw, masked):
        c, u = s["K"], s["U"]
        t = {"in.x": draw.normal(s["B"], s["T"], c, shift=0.3), "param.reduce.kernel": draw.normal(c, u),
             "param.reduce.bias": draw.normal(u, scale=0.5), "param.expand.kernel": draw.normal(u, c),
             "param.expand.bias": draw.normal(c, scale=0.5)}
        return dict(t, **(mask_tensors() if masked else {}))

    def highway(draw, inner, masked):
        c = s["D"]
        shapes = {"lstm.kernel": (c, 4 * c), "lstm.recurrent": (c, 4 * c), "lstm.bias": (4 * c,)} if inner == "lstm" \
            else {"dense.kernel": (c, c), "dense.bias": (c,)}
        t = {"param." + n: draw.normal(*shape, scale=0.5) for n, shape in shapes.items()}
        t.update({"in.x": draw.normal(s["B"], s["T"], c), "param.gate.kernel": draw.normal(c, c, scale=0.7),
                  "param.gate.bias": draw.normal(c, scale=0.5, shift=-1.0)})
        return dict(t, **(mask_tensors() if masked else {}))

    def residual(draw, wide, last):
        c = s["C"]
        return {"in.x": draw.normal(s["B"], s["T"], c), "param.conv1.kernel": draw.normal(3, c, wide, scale=0.5),
                "param.conv1.bias": draw.normal(wide, scale=0.3),
                "param.conv2.kernel": draw.normal(3, wide, last, scale=0.5),
                "param.conv2.bias": draw.normal(last, scale=0.3),
                "param.shortcut.conv.kernel": draw.normal(1, c, last), "param.shortcut.conv.bias": draw.normal(last),
                "param.shortcut.norm.gamma": draw.normal(last, scale=0.2, shift=1.0),
                "param.shortcut.norm.beta": draw.normal(last, scale=0.3)}

    for masked in (False, True):
        tail = "mask_s0" if masked else "nomask_s0"
        cases.append(simple("squeeze_" + tail, "SqueezeExcitation", {"units": s["U"], "masked": masked},
                            lambda d, m=masked: excitation(d, m), False))
        for inner in ("dense", "lstm"):
            cases.append(simple("highway_%s_%s" % (inner, tail), "Highway", {"inner": inner, "masked": masked},
                                lambda d, i=inner, m=masked: highway(d, i, m), False))
    for stride, padding, activation in ((1, "same", "linear"), (2, "same", "gelu"), (2, "causal", "tanh")):
        hyper = {"strides": stride, "padding": padding, "activation": activation, "filters": [s["K"], s["Fo"]],
                 "epsilon": 1e-3}
        cases.append(simple("residual_s%d_%s_s0" % (stride, padding), "Residual", hyper,
                            lambda d: residual(d, s["K"], s["Fo"]), False))
    return cases


def layer_cases():
    cases = conv_cases() + pool_cases() + grid_cases() + norm_cases() + dense_and_activation_cases() + recurrent_cases()
    return cases + attention_cases() + depthwise_cases() + block_cases()
