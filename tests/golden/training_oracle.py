"""NumPy and PyTorch evaluation of the golden cases about training: optimizers, clipping, schedules, whole model."""
import math
import re

import numpy as np
import torch
import torch.nn.functional as F

from layer_oracle import conv1d, lstm_step, pool1d, recurrent, self_attention


def clip_by_global_norm(gradients, limit):
    norm = math.sqrt(sum(float((g * g).sum()) for g in gradients.values()))
    return {k: g * (limit / max(norm, limit)) for k, g in gradients.items()}, norm


def problem_gradient(tensors, w):
    """Loss and gradients of `quad` 0.5 w'Aw - b'w or of `net` mean cross-entropy of tanh(X W1 + b1) W2 + b2."""
    if "aux.A" in tensors:
        product = tensors["aux.A"] @ w["w"]
        return 0.5 * w["w"] @ product - tensors["aux.b"] @ w["w"], {"w": product - tensors["aux.b"]}
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in w.items()}
    hidden = torch.tanh(torch.tensor(tensors["aux.X"]) @ leaves["W1"] + leaves["b1"])
    logits = hidden @ leaves["W2"] + leaves["b2"]
    loss = F.cross_entropy(logits, torch.tensor(tensors["aux.labels"]).long())
    loss.backward()
    return float(loss.detach()), {k: v.grad.numpy() for k, v in leaves.items()}


def update(hyper, step, p, g, state):
    """One optimizer step of one parameter array (returns the new value); `step` counts from 1."""
    lr, kind = hyper["lr"], hyper["optimizer"]
    if kind.startswith("sgd"):
        m = hyper.get("momentum", 0.0)
        state["v"] = m * state.get("v", 0.0) - lr * g
        return p + (m * state["v"] - lr * g if hyper.get("nesterov") else state["v"])
    if kind.startswith("adam"):
        b1, b2, eps = hyper["beta_1"], hyper["beta_2"], hyper["epsilon"]
        p = p - lr * hyper.get("weight_decay", 0.0) * p
        state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
        state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g * g
        if hyper["variant"] == "keras":
            scale = lr * math.sqrt(1 - b2 ** step) / (1 - b1 ** step)
            return p - scale * state["m"] / (np.sqrt(state["v"]) + eps)
        return p - lr / (1 - b1 ** step) * state["m"] / (np.sqrt(state["v"] / (1 - b2 ** step)) + eps)
    rho, eps = hyper["rho"], hyper["epsilon"]
    state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g * g
    if hyper["variant"] == "keras":
        move = lr * g / np.sqrt(state["v"] + eps)
    else:
        move = lr * g / (np.sqrt(state["v"]) + eps)
    state["k"] = hyper["momentum"] * state.get("k", 0.0) + move
    return p - state["k"]


def evaluate_optimizer(hyper, tensors):
    """tensors holds aux.* and the initial values as traj.NAME (row 0 is used)."""
    w = {k[5:]: v[0].copy() for k, v in tensors.items() if k.startswith("traj.")}
    traj, grads, losses = {k: [v] for k, v in w.items()}, {k: [] for k in w}, []
    states = {k: {} for k in w}
    for step in range(1, hyper["steps"] + 1):
        loss, g = problem_gradient(tensors, w)
        losses.append(loss)
        for k in w:
            grads[k].append(g[k])
        if "global_clipnorm" in hyper:
            g, _ = clip_by_global_norm(g, hyper["global_clipnorm"])
        w = {k: update(hyper, step, w[k], g[k], states[k]) for k in w}
        for k in w:
            traj[k].append(w[k])
    out = {"traj." + k: np.stack(v) for k, v in traj.items()}
    out.update({"grad." + k: np.stack(v) for k, v in grads.items()})
    out["out.loss"] = np.array(losses)
    return out


def evaluate_clip(hyper, tensors):
    gradients = {k[3:]: v for k, v in tensors.items() if k.startswith("in.")}
    clipped, norm = clip_by_global_norm(gradients, hyper["clip_norm"])
    out = {"out." + k: v for k, v in clipped.items()}
    out["out.global_norm"] = np.array([norm])
    return out


def evaluate_cosine(hyper, count):
    rates = []
    start, peak, warm, decay = (hyper[k] for k in ("initial_learning_rate", "warmup_target", "warmup_steps",
                                                   "decay_steps"))
    for step in range(count):
        if step < warm:
            rates.append(start + (peak - start) * step / warm)
        else:
            done = (min(step, warm + decay) - warm) / decay
            rates.append(peak * ((1 - hyper["alpha"]) * 0.5 * (1 + math.cos(math.pi * done)) + hyper["alpha"]))
    return {"out.lr": np.array(rates)}


def evaluate_plateau(hyper, tensors):
    lr, best, wait, cooldown, rates = hyper["lr"], math.inf, 0, 0, []
    for x in tensors["in.metric"]:
        if cooldown > 0:
            cooldown, wait = cooldown - 1, 0
        if x < best - hyper["min_delta"]:
            best, wait = x, 0
        elif cooldown == 0:
            wait += 1
            if wait >= hyper["patience"]:
                lr, cooldown, wait = max(lr * hyper["factor"], hyper["min_lr"]), hyper["cooldown"], 0
        rates.append(lr)
    return {"out.lr": np.array(rates)}


def parse_architecture(text):
    """Widths of the thirteen-layer text: conv1, kernel 1, conv2, kernel 2, lstm 1, lstm 2, dense 1, classes."""
    convs = re.findall(r"Conv1D\((\d+),k(\d+)", text)
    lstms, denses = re.findall(r"LSTM\((\d+)", text), re.findall(r"Dense\((\d+)", text)
    (c1, k1), (c2, k2) = convs
    return {"conv1": int(c1), "k1": int(k1), "conv2": int(c2), "k2": int(k2), "lstm1": int(lstms[0]),
            "lstm2": int(lstms[1]), "dense1": int(denses[0]), "classes": int(denses[1])}


def model_forward(p, x, moving, training, keep=None, momentum=0.99, epsilon=1e-3):
    """Returns the activations by name (with `logits`) and the moving statistics after the call."""
    same = {"strides": 1, "dilation_rate": 1, "padding": "same", "activation": "relu"}
    pool = {"pool_size": 5, "strides": 2, "padding": "same"}
    act = {"conv1": conv1d(x, p["conv1.kernel"], p["conv1.bias"], same)}
    act["pool1"] = pool1d(act["conv1"], pool, "max")
    act["conv2"] = conv1d(act["pool1"], p["conv2.kernel"], p["conv2.bias"], same)
    act["pool2"] = pool1d(act["conv2"], pool, "max")
    act["lstm1"] = recurrent(lstm_step, act["pool2"], {k[6:]: v for k, v in p.items() if k.startswith("lstm1.")},
                             None, None)[0]
    act["attn1"] = self_attention(act["lstm1"], None)[0]
    act["lstm2"] = recurrent(lstm_step, act["attn1"], {k[6:]: v for k, v in p.items() if k.startswith("lstm2.")},
                             None, None)[0]
    act["attn2"] = self_attention(act["lstm2"], None)[0]
    act["gap"] = act["attn2"].mean(1)
    act["dense1"] = F.relu(act["gap"] @ p["dense1.kernel"] + p["dense1.bias"])
    mean, var = moving
    if training:
        m, v = act["dense1"].mean(0), act["dense1"].var(0, unbiased=False)
        moving = (mean * momentum + m.detach() * (1 - momentum), var * momentum + v.detach() * (1 - momentum))
        mean, var = m, v
    act["bn"] = (act["dense1"] - mean) / torch.sqrt(var + epsilon) * p["bn.gamma"] + p["bn.beta"]
    act["dropout"] = act["bn"] if keep is None else act["bn"] * keep / 0.5
    act["logits"] = act["dropout"] @ p["dense2.kernel"] + p["dense2.bias"]
    return act, moving


def split_parameters(tensors, dtype):
    values = {k[6:]: torch.tensor(v, dtype=dtype) for k, v in tensors.items() if k.startswith("param.")}
    moving = (values.pop("bn.moving_mean"), values.pop("bn.moving_var"))
    return {k: v.requires_grad_(True) for k, v in values.items()}, moving


def adam_steps(tensors, hyper, dtype):
    p, moving = split_parameters(tensors, dtype)
    x, labels = torch.tensor(tensors["in.x"], dtype=dtype), torch.tensor(tensors["aux.labels"]).long()
    b1, b2, eps, lr = (hyper[k] for k in ("beta_1", "beta_2", "epsilon", "lr"))
    m, v = ({k: torch.zeros_like(w) for k, w in p.items()} for _ in range(2))
    losses = []
    for step in range(1, hyper["steps"] + 1):
        act, moving = model_forward(p, x, moving, True)
        loss = F.cross_entropy(act["logits"], labels)
        losses.append(float(loss.detach()))
        grads = torch.autograd.grad(loss, list(p.values()))
        scale = lr * math.sqrt(1 - b2 ** step) / (1 - b1 ** step)
        with torch.no_grad():
            for (k, w), g in zip(p.items(), grads):
                m[k] = b1 * m[k] + (1 - b1) * g
                v[k] = b2 * v[k] + (1 - b2) * g * g
                w -= scale * m[k] / (torch.sqrt(v[k]) + eps)
    with torch.no_grad():
        final = float(F.cross_entropy(model_forward(p, x, moving, True)[0]["logits"], labels))
        probs = F.softmax(model_forward(p, x, moving, False)[0]["logits"], -1).numpy()
    return np.array(losses), probs, final


def evaluate_model(hyper, tensors):
    p, moving = split_parameters(tensors, torch.float64)
    x = torch.tensor(tensors["in.x"], requires_grad=True)
    labels, keep = torch.tensor(tensors["aux.labels"]).long(), torch.tensor(tensors["aux.keep_mask"])
    act, _ = model_forward(p, x, moving, False)
    names = ("conv1", "pool1", "conv2", "pool2", "lstm1", "attn1", "lstm2", "attn2", "gap", "dense1", "bn")
    out = {"eval.act." + n: act[n].detach().numpy().astype(np.float32) for n in names}
    out["eval.out.logits"] = act["logits"].detach().numpy()
    out["eval.out.probs"] = F.softmax(act["logits"], -1).detach().numpy()
    act, stats = model_forward(p, x, moving, True, keep)
    loss = F.cross_entropy(act["logits"], labels)
    loss.backward()
    for n in ("gap", "dense1", "bn", "dropout"):
        out["train.act." + n] = act[n].detach().numpy().astype(np.float32)
    out.update({"train.out.logits": act["logits"].detach().numpy(), "train.out.loss": loss.detach().reshape(1).numpy(),
                "train.out.moving_mean": stats[0].numpy(), "train.out.moving_var": stats[1].numpy()})
    out["grad_in.x"] = x.grad.numpy().astype(np.float32)
    out.update({"grad_param." + k: v.grad.numpy().astype(np.float32) for k, v in p.items()})
    l64, p64, f64 = adam_steps(tensors, hyper["adam"], torch.float64)
    l32, p32, f32 = adam_steps(tensors, hyper["adam"], torch.float32)
    out.update({"adam20.out.loss_f64": l64, "adam20.out.eval_probs_f64": p64,
                "adam20.out.loss_f32": l32.astype(np.float32), "adam20.out.eval_probs_f32": p32,
                "adam20.out.final_train_loss": np.array([f32, f64])})
    return out
