"""PyTorch (autograd, float64) evaluation of one golden layer case from its hyper-parameters and input tensors.

`evaluate(op, hyper, tensors)` returns every expected tensor (`out.*`, `grad_in.*`, `grad_param.*`). Semantics are those
of Keras: channels last, `same` padding split with the smaller half on the left, biased variances, Keras gate orders.
"""
import math

import torch
import torch.nn.functional as F

INF = float("inf")


def padding_for(length, size, stride, dilation, mode):
    effective = (size - 1) * dilation + 1
    if mode == "same":
        total = max((-(-length // stride) - 1) * stride + effective - length, 0)
        return total // 2, total - total // 2
    return (effective - 1, 0) if mode == "causal" else (0, 0)


def activate(name, x):
    if name.startswith("leaky_relu_"):
        return torch.where(x > 0, x, x * float(name.rsplit("_", 1)[1]))
    return {"linear": lambda v: v, "relu": F.relu, "gelu": F.gelu,
            "gelu_tanh": lambda v: F.gelu(v, approximate="tanh"), "swish": F.silu, "tanh": torch.tanh,
            "sigmoid": torch.sigmoid, "softmax": lambda v: F.softmax(v, -1),
            "log_softmax": lambda v: F.log_softmax(v, -1), "elu": F.elu,
            "softplus": lambda v: torch.logaddexp(v, torch.zeros_like(v))}[name](x)


def conv1d(x, kernel, bias, hyper):
    left, right = padding_for(x.shape[1], kernel.shape[0], hyper["strides"], hyper["dilation_rate"], hyper["padding"])
    padded = F.pad(x.transpose(1, 2), (left, right))
    y = F.conv1d(padded, kernel.permute(2, 1, 0), bias, stride=hyper["strides"], dilation=hyper["dilation_rate"])
    return activate(hyper["activation"], y.transpose(1, 2))


def pool1d(x, hyper, kind):
    size, stride = hyper["pool_size"], hyper["strides"]
    pads = padding_for(x.shape[1], size, stride, 1, hyper["padding"])
    planes = x.transpose(1, 2)
    if kind == "max":
        return F.max_pool1d(F.pad(planes, pads, value=-INF), size, stride).transpose(1, 2)
    real = F.avg_pool1d(F.pad(torch.ones_like(planes), pads), size, stride)
    return (F.avg_pool1d(F.pad(planes, pads), size, stride) / real).transpose(1, 2)


def planes_of(x, maps):
    """(B, T, frequency * maps), maps fastest, as (B, maps, T, frequency)."""
    return x.reshape(x.shape[0], x.shape[1], -1, maps).permute(0, 3, 1, 2)


def frames_of(planes):
    return planes.permute(0, 2, 3, 1).flatten(2)


def pads_2d(planes, size, strides, mode):
    """As F.pad wants them: frequency first."""
    pads = [padding_for(n, k, s, 1, mode) for n, k, s in zip(planes.shape[2:], size, strides)]
    return pads[1] + pads[0]


def conv2d(x, kernel, bias, hyper):
    planes = planes_of(x, hyper["maps"])
    planes = F.pad(planes, pads_2d(planes, kernel.shape[:2], hyper["strides"], hyper["padding"]))
    y = F.conv2d(planes, kernel.permute(3, 2, 0, 1), bias, stride=hyper["strides"])
    return frames_of(activate(hyper["activation"], y))


def pool2d(x, hyper, kind):
    size, strides = hyper["pool_size"], hyper["strides"]
    planes = planes_of(x, hyper["maps"])
    pads = pads_2d(planes, size, strides, hyper["padding"])
    if kind == "max":
        return frames_of(F.max_pool2d(F.pad(planes, pads, value=-INF), size, strides))
    real = F.avg_pool2d(F.pad(torch.ones_like(planes), pads), size, strides)
    return frames_of(F.avg_pool2d(F.pad(planes, pads), size, strides) / real)


def lstm_step(x, h, c, p):
    z = x @ p["kernel"] + h @ p["recurrent"] + p["bias"]
    i, f, g, o = z.chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x, h, c, p):
    a = x @ p["kernel"] + p["bias"][0]
    b = h @ p["recurrent"] + p["bias"][1]
    (az, ar, ah), (bz, br, bh) = a.chunk(3, -1), b.chunk(3, -1)
    z, r = torch.sigmoid(az + bz), torch.sigmoid(ar + br)
    return z * h + (1 - z) * torch.tanh(ah + r * bh), c


def recurrent(step, x, p, mask, masked_output, h=None, c=None, reverse=False):
    """Returns the outputs in natural time order and the final h, c. Masked steps keep the state."""
    units = p["recurrent"].shape[0]
    h = x.new_zeros(x.shape[0], units) if h is None else h
    c = x.new_zeros(x.shape[0], units) if c is None else c
    previous, outputs = x.new_zeros(x.shape[0], units), [None] * x.shape[1]
    for t in (reversed(range(x.shape[1])) if reverse else range(x.shape[1])):
        new_h, new_c = step(x[:, t], h, c, p)
        if mask is not None:
            keep = mask[:, t:t + 1].bool()
            y = torch.where(keep, new_h, previous if masked_output == "carry" else torch.zeros_like(new_h))
            new_h, new_c = torch.where(keep, new_h, h), torch.where(keep, new_c, c)
        else:
            y = new_h
        h, c, previous = new_h, new_c, y
        outputs[t] = y
    return torch.stack(outputs, 1), h, c


def eval_recurrent(op, hyper, t, p):
    step = lstm_step if op.endswith("LSTM") else gru_step
    mask, x = t.get("aux.mask"), t["in.x"]
    if not op.startswith("Bi"):
        y, h, c = recurrent(step, x, p, mask, hyper["masked_output"], t.get("in.h0"), t.get("in.c0"))
        if hyper.get("return_state"):
            return {"y": y, "h": h, "c": c}
        return {"y": y if hyper["return_sequences"] else h}
    parts = []
    for side in ("fw", "bw"):
        own = {k[3:]: v for k, v in p.items() if k.startswith(side + "_")}
        y, h, _ = recurrent(step, x, own, mask, "zero", reverse=side == "bw")
        parts.append(y if hyper["return_sequences"] else h)
    return {"y": torch.cat(parts, -1)}


def attention_weights(scores, mask):
    if mask is not None:
        shape = (mask.shape[0],) + (1,) * (scores.dim() - 2) + (mask.shape[1],)
        scores = scores.masked_fill(~mask.bool().view(shape), -INF)
    return F.softmax(scores, -1)


def self_attention(x, mask):
    weights = attention_weights(x @ x.transpose(1, 2) / math.sqrt(x.shape[-1]), mask)
    return weights @ x, weights


def eval_self_attention(hyper, t):
    y, weights = self_attention(t["in.x"], t.get("aux.mask") if hyper["key_mask"] else None)
    if hyper["query_rows_zeroed"]:
        y = y * t["aux.mask"].unsqueeze(-1)
    return {"y": y, "weights": weights}


def eval_multi_head(hyper, t, p):
    x = t["in.x"]
    q, k, v = (torch.einsum("btd,dhk->bhtk", x, p[n + "_kernel"]) + p[n + "_bias"].unsqueeze(1)
               for n in ("query", "key", "value"))
    weights = attention_weights(q @ k.transpose(2, 3) / math.sqrt(hyper["key_dim"]), t.get("aux.mask"))
    return {"y": torch.einsum("bhtk,hkd->btd", weights @ v, p["output_kernel"]) + p["output_bias"],
            "weights": weights}


def eval_attention_pool(op, hyper, t, p):
    x = t["in.x"]
    a = attention_weights(torch.tanh(x @ p["W"] + p["b"]) @ p["v"], t.get("aux.mask"))
    mean = torch.einsum("bt,btc->bc", a, x)
    if op == "AdditiveAttentionPooling":
        return {"y": mean, "weights": a}
    variance = torch.einsum("bt,btc->bc", a, (x - mean.unsqueeze(1)) ** 2)
    return {"y": torch.cat([mean, torch.sqrt(variance.clamp(min=hyper["var_clamp"]))], -1), "weights": a}


def eval_global_pool(op, t):
    x, mask = t["in.x"], t.get("aux.mask")
    if op == "GlobalMaxPooling1D":
        return {"y": (x if mask is None else x.masked_fill(~mask.bool().unsqueeze(-1), -INF)).max(1).values}
    if mask is None:
        return {"y": x.mean(1)}
    return {"y": (x * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)}


def layer_norm(x, gamma, beta, epsilon):
    mean = x.mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True) + epsilon) * gamma + beta


def depthwise_conv1d(x, kernel, bias, hyper):
    left, right = padding_for(x.shape[1], kernel.shape[0], hyper["strides"], hyper["dilation_rate"], hyper["padding"])
    y = F.conv1d(F.pad(x.transpose(1, 2), (left, right)), kernel.permute(1, 2, 0), bias, stride=hyper["strides"],
                 dilation=hyper["dilation_rate"], groups=x.shape[2])
    return activate(hyper["activation"], y.transpose(1, 2))


def valid_frames(x, mask):
    return x if mask is None else x * mask.unsqueeze(-1)


def eval_squeeze_excitation(t, p):
    x, mask = t["in.x"], t.get("aux.mask")
    count = x.shape[1] if mask is None else mask.sum(1, keepdim=True)
    mean = valid_frames(x, mask).sum(1) / count
    hidden = F.relu(mean @ p["reduce.kernel"] + p["reduce.bias"])
    scale = torch.sigmoid(hidden @ p["expand.kernel"] + p["expand.bias"])
    return {"y": valid_frames(x * scale.unsqueeze(1), mask)}


def eval_highway(hyper, t, p):
    x, mask = t["in.x"], t.get("aux.mask")
    if hyper["inner"] == "lstm":
        own = {k[5:]: v for k, v in p.items() if k.startswith("lstm.")}
        h = recurrent(lstm_step, x, own, mask, "zero")[0]
    else:
        h = activate("tanh", x @ p["dense.kernel"] + p["dense.bias"])
    gate = torch.sigmoid(x @ p["gate.kernel"] + p["gate.bias"])
    return {"y": valid_frames(gate * h + (1 - gate) * x, mask)}


def eval_residual(hyper, t, p):
    """relu(conv, conv) of the hyper-parameters beside conv of width 1 and layer norm."""
    x = t["in.x"]
    first = {"strides": hyper["strides"], "dilation_rate": 1, "padding": hyper["padding"], "activation": "relu"}
    body = conv1d(x, p["conv1.kernel"], p["conv1.bias"], first)
    body = conv1d(body, p["conv2.kernel"], p["conv2.bias"], dict(first, strides=1, activation="linear"))
    beside = conv1d(x, p["shortcut.conv.kernel"], p["shortcut.conv.bias"],
                    dict(first, padding="valid", activation="linear"))
    beside = layer_norm(beside, p["shortcut.norm.gamma"], p["shortcut.norm.beta"], hyper["epsilon"])
    return {"y": activate(hyper["activation"], body + beside)}


def forward(op, hyper, t):
    p = {k[6:]: v for k, v in t.items() if k.startswith("param.")}
    if op == "Conv1D":
        return {"y": conv1d(t["in.x"], p["kernel"], p.get("bias"), hyper)}
    if op == "DepthwiseConv1D":
        return {"y": depthwise_conv1d(t["in.x"], p["kernel"], p.get("bias"), hyper)}
    if op == "SqueezeExcitation":
        return eval_squeeze_excitation(t, p)
    if op == "Highway":
        return eval_highway(hyper, t, p)
    if op == "Residual":
        return eval_residual(hyper, t, p)
    if op in ("MaxPool1D", "AveragePool1D"):
        return {"y": pool1d(t["in.x"], hyper, "max" if op == "MaxPool1D" else "average")}
    if op == "Conv2D":
        return {"y": conv2d(t["in.x"], p["kernel"], p.get("bias"), hyper)}
    if op in ("MaxPool2D", "AveragePool2D"):
        return {"y": pool2d(t["in.x"], hyper, "max" if op == "MaxPool2D" else "average")}
    if op == "LayerNorm":
        return {"y": layer_norm(t["in.x"], p["gamma"], p["beta"], hyper["epsilon"])}
    if op == "Dense":
        return {"y": activate(hyper["activation"], t["in.x"] @ p["kernel"] + p.get("bias", 0.0))}
    if op == "Activation":
        return {"y": activate(hyper["activation"], t["in.x"])}
    if op in ("LSTM", "GRU", "BiLSTM", "BiGRU"):
        return eval_recurrent(op, hyper, t, p)
    if op == "SelfAttention":
        return eval_self_attention(hyper, t)
    if op == "MultiHeadAttention":
        return eval_multi_head(hyper, t, p)
    if op in ("AdditiveAttentionPooling", "AttentiveStatisticsPooling"):
        return eval_attention_pool(op, hyper, t, p)
    if op in ("GlobalAveragePooling1D", "GlobalMaxPooling1D"):
        return eval_global_pool(op, t)
    if op in ("Dropout", "SpatialDropout1D"):
        return {"y": t["in.x"] * t["aux.keep_mask"] / (1.0 - hyper["rate"])}
    raise ValueError("no oracle for " + op)


def as_leaves(tensors):
    leaves = {k: torch.tensor(v, dtype=torch.float64) for k, v in tensors.items()}
    for name, value in leaves.items():
        value.requires_grad_(name.startswith(("in.", "param.")))
    return leaves


def eval_batch_norm(hyper, tensors):
    out, mean, var = {}, torch.tensor(tensors["in.moving_mean0"]), torch.tensor(tensors["in.moving_var0"])
    for call in ("0", "1", "2", "_eval"):
        x, gamma, beta = (torch.tensor(tensors[n], requires_grad=True)
                          for n in ("in.x" + call, "param.gamma", "param.beta"))
        given, x = x, x.unflatten(-1, (-1, hyper["maps"])) if "maps" in hyper else x
        axes = tuple(range(x.dim() - 1))
        if call == "_eval":
            y = (x - mean) / torch.sqrt(var + hyper["epsilon"]) * gamma + beta
        else:
            m, v = x.mean(axes), x.var(axes, unbiased=False)
            y = (x - m) / torch.sqrt(v + hyper["epsilon"]) * gamma + beta
            mean = mean * hyper["momentum"] + m.detach() * (1 - hyper["momentum"])
            var = var * hyper["momentum"] + v.detach() * (1 - hyper["momentum"])
            out["out.moving_mean%d" % (int(call) + 1)], out["out.moving_var%d" % (int(call) + 1)] = mean, var
        y = y.reshape(given.shape)
        (y * torch.tensor(tensors["grad_out.y" + call])).sum().backward()
        out.update({"out.y" + call: y.detach(), "grad_in.x" + call: given.grad, "grad_param.gamma" + call: gamma.grad,
                    "grad_param.beta" + call: beta.grad})
    return {k: v.numpy() for k, v in out.items()}


def eval_loss(hyper, tensors):
    logits = torch.tensor(tensors["in.logits"], requires_grad=True)
    labels = torch.tensor(tensors["aux.labels"]).long()
    classes = logits.shape[1]
    log_p = F.log_softmax(logits, -1)
    q = F.one_hot(labels, classes).double() * (1 - hyper["label_smoothing"]) + hyper["label_smoothing"] / classes
    if hyper["kind"] == "focal":
        alpha = torch.tensor(tensors["aux.alpha"]) if hyper["alpha"] else torch.ones(classes, dtype=torch.float64)
        per_class = -q * alpha * (1 - log_p.exp()) ** hyper["gamma"] * log_p
    else:
        per_class = -q * log_p
    per_sample = per_class.sum(-1)
    weights = torch.tensor(tensors["aux.class_weights"])[labels] if hyper["class_weights"] else torch.ones(
        len(labels), dtype=torch.float64)
    divisor = weights.sum() if "sum(weights)" in hyper["normalise"] else float(len(labels))
    loss = (weights * per_sample).sum() / divisor
    loss.backward()
    return {"out.loss": loss.detach().reshape(1).numpy(), "out.per_sample": per_sample.detach().numpy(),
            "out.probs": log_p.exp().detach().numpy(), "grad_in.logits": logits.grad.numpy()}


def evaluate(op, hyper, tensors):
    """tensors: numpy float64 arrays named in.*, param.*, aux.*, grad_out.*; returns the expected arrays by name."""
    if op == "BatchNorm":
        return eval_batch_norm(hyper, tensors)
    if op == "Loss":
        return eval_loss(hyper, tensors)
    leaves = as_leaves(tensors)
    outputs = forward(op, hyper, leaves)
    total = sum((outputs[n] * leaves["grad_out." + n]).sum() for n in outputs if "grad_out." + n in leaves)
    total.backward()
    result = {"out." + n: v.detach().numpy() for n, v in outputs.items()}
    for name, leaf in leaves.items():
        if leaf.requires_grad:
            result["grad_" + name] = (leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)).numpy()
    return result
