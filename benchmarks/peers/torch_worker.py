#!/usr/bin/python3
"""PyTorch's side of the performance suite: one kind of work in one process, the lines of bench_worker.

    torch_worker.py training|inference --case FOLDER [--batch N] [--threads N] [--style STYLE] [--no-onednn]
    torch_worker.py first --case FOLDER --style STYLE     prints the first sample's probabilities and ends
    torch_worker.py verify --case FOLDER                  compares loss and gradients with the case's and ends
    torch_worker.py write-traced --case FOLDER            writes FOLDER/traced.pt, for libtorch, and ends

Styles of inference: eager; frozen (traced, weights made constants); optimized (frozen, layers rewritten for oneDNN).
All of them run without gradients. The network is that of pytorch_epoch.py with the weights of the case.
"""
import argparse
import contextlib
import json
import os
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pytorch_epoch  # noqa: E402  (sets OMP_WAIT_POLICY before torch is loaded)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402


def load_model(case):
    tensors = pytorch_epoch.read_safetensors(os.path.join(case, "model.safetensors"))
    names = {"bn.moving_variance": "bn.moving_var"}
    return pytorch_epoch.load_reference({"param." + names.get(n, n): v for n, v in tensors.items()})


def load_input(case, batch):
    x = torch.from_numpy(np.load(os.path.join(case, "first.npy" if batch == 1 else "x.npy"))[:batch].copy())
    return x, torch.from_numpy(np.load(os.path.join(case, "labels.npy"))[:batch].astype(np.int64))


class Classifier(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return F.softmax(self.model(x), -1)


def classifier(case, style, x):
    model = Classifier(load_model(case)).eval()
    if style == "eager":
        return model
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(model, x, check_trace=False))
        return torch.jit.optimize_for_inference(traced) if style == "optimized" else traced


def training(options):
    model = load_model(options.case).train()
    x, labels = load_input(options.case, options.batch)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-4, eps=1e-7)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        if not np.isfinite(float(loss.detach())):
            raise SystemExit("torch_worker.py: error: the loss is not finite")

    return step, None


def inference(options):
    x, _ = load_input(options.case, options.batch)
    model = classifier(options.case, options.style, x)
    return lambda: model(x), lambda: model(x).numpy().astype(float).ravel().tolist()


def summary(seconds):
    seconds = sorted(seconds)
    at = lambda q: seconds[max(int(np.ceil(q * len(seconds))), 1) - 1]  # noqa: E731
    return {"median_s": at(0.5), "min_s": seconds[0], "max_s": seconds[-1], "p99_s": at(0.99), "calls": len(seconds)}


def repeat(budget, body):
    body()
    seconds, start = [], time.perf_counter()
    while len(seconds) < 3 or time.perf_counter() - start < budget:
        before = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - before)
    return summary(seconds)


def answer(line):
    with open("/proc/self/status") as status:  # not getrusage's, which begins with the parent's
        line["peak_memory_bytes"] = next(1024 * int(field.split()[1]) for field in status if field.startswith("VmHWM:"))
    print(json.dumps(line), flush=True)


def serve(body, probabilities):
    answer({"torch": str(torch.__version__), "onednn": bool(torch.backends.mkldnn.is_available())})
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            answer(repeat(float(words[1]), body))
        else:
            answer({"probabilities": probabilities()})


def verify(options):
    """Largest difference of a gradient, as a share of the largest gradient of its tensor."""
    want = pytorch_epoch.read_safetensors(os.path.join(options.case, "gradients.safetensors"))
    model = load_model(options.case).train()
    model.dropout.p = 0.0
    x, labels = load_input(options.case, options.batch)
    loss = F.cross_entropy(model(x), labels)
    loss.backward()
    own = {"bn.gamma": model.bn.weight, "bn.beta": model.bn.bias}
    for name in ("conv1", "conv2", "dense1", "dense2"):
        own[name + ".kernel"], own[name + ".bias"] = getattr(model, name).weight, getattr(model, name).bias
    for name in ("lstm1", "lstm2"):
        lstm = getattr(model, name)
        own[name + ".kernel"], own[name + ".recurrent"] = lstm.weight_ih_l0, lstm.weight_hh_l0
        own[name + ".bias"] = lstm.bias_ih_l0
    shares = {"loss": abs(float(loss.detach()) - float(want["loss"][0])) / float(want["loss"][0])}
    for name, parameter in own.items():
        got = parameter.grad.permute(*reversed(range(parameter.dim()))).numpy()
        shares[name] = float(np.abs(got - want[name]).max() / np.abs(want[name]).max())
    if set(own) != set(want) - {"loss"}:
        raise SystemExit("torch_worker.py: error: other parameters than serene's: %s" % sorted(set(own) ^ set(want)))
    worst = max(shares, key=shares.get)
    answer({"worst": shares[worst], "where": worst, "loss": float(loss.detach())})


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("training", "inference", "first", "verify", "write-traced"))
    parser.add_argument("--case", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--style", default="eager", choices=("eager", "frozen", "optimized"))
    parser.add_argument("--no-onednn", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # shapes are constants here, by intent
    torch.set_num_interop_threads(1)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    if options.no_onednn:
        torch.backends.mkldnn.flags(enabled=False).__enter__()
    with contextlib.nullcontext() if options.work in ("training", "verify") else torch.no_grad():
        if options.work == "verify":
            verify(options)
        elif options.work == "write-traced":
            x, _ = load_input(options.case, options.batch)
            torch.jit.save(torch.jit.trace(Classifier(load_model(options.case)).eval(), x, check_trace=False),
                           os.path.join(options.case, "traced.pt"))
        elif options.work == "first":
            answer({"probabilities": inference(options)[1]()})
        else:
            serve(*(training if options.work == "training" else inference)(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
