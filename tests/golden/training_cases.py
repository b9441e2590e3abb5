"""The own cases about training: losses, optimizers, clipping, schedules and a narrow thirteen-layer model."""
import math

import numpy as np

import training_oracle as oracle
from layer_cases import MODEL, SIZES, TRAJ_NOTE, TRAJECTORY, USUAL, Draw
from layer_oracle import eval_loss

ARCHITECTURE = ("Conv1D({conv1},k7,same,relu)>MaxPool1D(5,2,same)>Conv1D({conv2},k5,same,relu)>MaxPool1D(5,2,same)>"
                "LSTM({units},seq)>SelfAttention(1/sqrt({units}))>LSTM({units},seq)>SelfAttention(1/sqrt({units}))>"
                "GlobalAveragePooling1D>Dense({dense},relu)>BatchNorm(momentum .99, eps 1e-3)>Dropout(0.5)>"
                "Dense({classes},softmax)")
WIDTHS = {"conv1": 8, "conv2": 12, "units": 6, "dense": 10, "classes": 4}


def entry(case, op, hyper, tensors, tolerance=USUAL, keras=True, note=None):
    return {"case": case, "op": op, "hyper": hyper, "keras": keras, "tensors": tensors, "tolerance": tolerance,
            "note": note}


def loss_cases():
    k, cases = SIZES["K"], []
    for name, kind, smoothing, weighted, alpha, wmean in (
            ("ce", "ce", 0.0, False, False, False), ("ce_ls0.1", "ce", 0.1, False, False, False),
            ("ce_cw", "ce", 0.0, True, False, False), ("ce_ls0.1_cw", "ce", 0.1, True, False, False),
            ("ce_ls0.1_cw_wmean", "ce", 0.1, True, False, True), ("focal_g2", "focal", 0.0, False, False, False),
            ("focal_g2_alpha", "focal", 0.0, False, True, False), ("focal_g2_cw", "focal", 0.0, True, False, False),
            ("ce_ls0.1_extreme", "ce", 0.1, False, False, False)):
        case = "loss_%s_s0" % name
        draw = Draw(case)
        hyper = {"kind": kind, "label_smoothing": smoothing, "gamma": 2.0 if kind == "focal" else None,
                 "class_weights": weighted, "alpha": alpha,
                 "normalise": "sum/sum(weights) (PyTorch style)" if wmean else "sum/B (Keras)"}
        if name.endswith("extreme"):
            t = {"in.logits": np.array([[850.0, -850.0, 0.0], [-850.0, 0.0, 850.0], [0.0, 0.0, 0.0]]),
                 "aux.labels": np.array([2.0, 2.0, 0.0])}
        else:
            t = {"in.logits": draw.normal(8, k, scale=2.0), "aux.labels": draw.integers(k, 8)}
        if weighted:
            t["aux.class_weights"] = draw.uniform(0.5, 2.0, k)
        if alpha:
            t["aux.alpha"] = draw.uniform(0.2, 1.0, k)
        t.update(eval_loss(hyper, t))
        cases.append(entry(case, "Loss", hyper, t, keras=not wmean,
                           note="extreme logits, log-sum-exp must be stable" if name.endswith("extreme") else None))
    return cases


def optimizer_settings():
    adam = {"lr": 0.02, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "variant": "keras"}
    torch_adam = dict(adam, epsilon=1e-8, variant="torch")
    rms = {"lr": 0.01, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.0, "variant": "keras"}
    return {
        "sgd": {"lr": 0.06}, "sgd_momentum": {"lr": 0.04, "momentum": 0.9},
        "sgd_nesterov": {"lr": 0.04, "momentum": 0.9, "nesterov": True},
        "adam_keras": adam, "adam_torch": torch_adam, "adamw_keras": dict(adam, weight_decay=0.005),
        "adamw_torch": dict(torch_adam, weight_decay=0.02), "rmsprop_keras": rms,
        "rmsprop_torch": dict(rms, variant="torch"), "rmsprop_keras_momentum": dict(rms, lr=0.004, momentum=0.9),
        "sgd_clipnorm": {"lr": 0.04, "momentum": 0.9, "global_clipnorm": 0.4},
        "adam_keras_clipnorm": dict(adam, global_clipnorm=0.4),
    }


def initial_problem(problem, draw):
    if problem == "quad":
        half = draw.normal(4, 4, scale=0.6)
        full = (half @ half.T + 0.5 * np.eye(4)).astype(np.float32).astype(np.float64)
        return {"aux.A": (full + full.T) / 2.0, "aux.b": draw.normal(4), "traj.w": draw.normal(1, 4, scale=2.0)}
    return {"aux.X": draw.normal(5, 3), "aux.labels": draw.integers(3, 5), "traj.W1": draw.normal(1, 3, 4, scale=0.7),
            "traj.b1": draw.normal(1, 4, scale=0.2), "traj.W2": draw.normal(1, 4, 3, scale=0.7),
            "traj.b2": draw.normal(1, 3, scale=0.2)}


def optimizer_cases():
    cases = []
    for name, values in optimizer_settings().items():
        for problem in ("quad", "net"):
            case = "opt_%s_%s_s0" % (name, problem)
            hyper = dict({"optimizer": name, "problem": problem, "steps": 5}, **values)
            t = initial_problem(problem, Draw(case))
            t.update(oracle.evaluate_optimizer(hyper, t))
            cases.append(entry(case, "Optimizer", hyper, t, TRAJECTORY, note=TRAJ_NOTE))
    return cases


def schedule_cases():
    cases = []
    for name, factor in (("below", 0.4), ("above", 1.8)):
        case = "clip_global_norm_%s_s0" % name
        draw = Draw(case)
        t = {"in.g0": draw.normal(2, 5), "in.g1": draw.normal(4), "in.g2": draw.normal(2, 2, 3)}
        norm = math.sqrt(sum(float((g * g).sum()) for g in t.values()))
        hyper = {"clip_norm": float(np.float32(factor * norm))}
        t.update(oracle.evaluate_clip(hyper, t))
        cases.append(entry(case, "ClipGlobalNorm", hyper, t, note="TF rule: g * clip/max(norm, clip)"))
    for seed, values in (("s0", (0.0, 0.002, 8, 40, 0.02)), ("s1", (2e-5, 0.004, 5, 21, 0.0))):
        hyper = dict(zip(("initial_learning_rate", "warmup_target", "warmup_steps", "decay_steps", "alpha"), values))
        cases.append(entry("sched_cosine_warmup_" + seed, "CosineWarmup", hyper, oracle.evaluate_cosine(hyper, 60),
                           note="lr for step 0,1,2,... (step = number of optimizer updates already made)"))
    for seed, values in (("s0", (0.002, 0.5, 3, 1e-4, 0, 2e-5)), ("s1", (0.001, 0.3, 2, 1e-3, 3, 1e-6))):
        hyper = dict(zip(("lr", "factor", "patience", "min_delta", "cooldown", "min_lr"), values), mode="min")
        case = "sched_reduce_on_plateau_" + seed
        noise, epochs = Draw(case), np.arange(50)
        metric = 1.8 * np.exp(-epochs / 9.0) + 0.15 + noise.uniform(0.0, 0.12, 50)
        t = {"in.metric": metric.astype(np.float32).astype(np.float64)}
        t.update(oracle.evaluate_plateau(hyper, t))
        cases.append(entry(case, "ReduceLROnPlateau", hyper, t,
                           note="lr[e] is the rate after on_epoch_end of epoch e (used in epoch e+1); Keras rule"))
    return cases


def model_parameters(draw, features):
    w = WIDTHS
    u, d = w["units"], w["dense"]
    shapes = {"conv1.kernel": (7, features, w["conv1"]), "conv2.kernel": (5, w["conv1"], w["conv2"]),
              "lstm1.kernel": (w["conv2"], 4 * u), "lstm1.recurrent": (u, 4 * u), "lstm2.kernel": (u, 4 * u),
              "lstm2.recurrent": (u, 4 * u), "dense1.kernel": (u, d), "dense2.kernel": (d, w["classes"])}
    p = {}
    for name, shape in shapes.items():
        p[name] = draw.normal(*shape, scale=math.sqrt(2.0 / (int(np.prod(shape[:-1])) + shape[-1])) * 1.3)
    for layer, width in (("conv1", w["conv1"]), ("conv2", w["conv2"]), ("dense1", d), ("dense2", w["classes"])):
        p[layer + ".bias"] = draw.normal(width, scale=0.1, shift=0.05)
    for layer in ("lstm1", "lstm2"):
        bias = draw.normal(4 * u, scale=0.05)
        bias[u:2 * u] += 1.0
        p[layer + ".bias"] = bias.astype(np.float32).astype(np.float64)
    p.update({"bn.gamma": draw.normal(d, scale=0.08, shift=1.0), "bn.beta": draw.normal(d, scale=0.1),
              "bn.moving_mean": draw.uniform(0.0, 0.3, d), "bn.moving_var": draw.uniform(0.05, 0.4, d)})
    return {"param." + k: v for k, v in p.items()}


def model_case():
    draw, batch, frames, features = Draw("model_narrow"), 5, 22, 4
    t = {"in.x": draw.normal(batch, frames, features),
         "aux.labels": np.arange(batch).astype(np.float64) % WIDTHS["classes"],
         "aux.keep_mask": draw.keep(0.5, batch, WIDTHS["dense"])}
    t.update(model_parameters(draw, features))
    hyper = {"B": batch, "T": frames, "F": features, "classes": WIDTHS["classes"],
             "architecture": ARCHITECTURE.format(**WIDTHS), "loss": "mean softmax cross-entropy, no smoothing",
             "adam": {"lr": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "variant": "keras", "steps": 20,
                      "dropout": 0, "bn": "training mode"},
             "n_params": int(sum(v.size for k, v in t.items() if k.startswith("param.")))}
    t.update(oracle.evaluate_model(hyper, t))
    for name in t:
        if name.startswith("param.") and "moving" not in name:
            t[name] = t[name].astype(np.float32)
    return entry("model_strong", "Model", hyper, t, MODEL,
                 note="the thirteen layers of model_strong with narrow widths; adam20.*: loss before each of the 20 "
                 "updates on the one batch, dropout 0, in float32 and float64; final_train_loss = [f32, f64]")


def training_cases():
    return loss_cases() + optimizer_cases() + schedule_cases() + [model_case()]
