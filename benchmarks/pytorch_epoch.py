#!/usr/bin/python3
"""Times training epochs of model_strong in PyTorch (float32, CPU): the other side of the comparison with serene.

Needs Debian's python3-torch and python3-numpy. Layers and semantics are those of the thirteen-layer model: Keras
padding, gate order and initialisation, Adam 1e-3 with epsilon 1e-7, batch 64, every padded frame counted. PyTorch runs
at its best here: channels-first convolutions through oneDNN, the fused nn.LSTM, batched matrix products, denormals
flushed, no Python loop inside the forward pass.

Prints one JSON object: seconds of every epoch (batch gathering, forward, backward and update), samples per second,
threads, version and peak memory. `--verify` first checks the network against the reference case of the model.

`--lengths` crops every batch to its longest clip, so that no frame is computed that is padding for the whole batch.

Features: X.npy (N, T, F); a .npz with `x`, `y` and maybe `lengths`; or a folder of .npy files (T_i, F), sorted by
name and padded with zeros. Labels: y.npy (N), or a text file with one number per line.
"""
import argparse
import json
import os
import resource
import struct
import sys
import time

# OpenMP threads that spin while they wait lose most of their time on a machine that does anything else (measured: a
# quarter of the speed with two threads); read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


def same_padding(length, size, stride):
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def pool_same(x):
    """MaxPooling1D(5, 2, same) of (N, C, T); the padding is minus infinity."""
    return F.max_pool1d(F.pad(x, same_padding(x.shape[-1], 5, 2), value=float("-inf")), 5, 2)


def self_attention(x):
    return torch.bmm(F.softmax(torch.bmm(x, x.transpose(1, 2)) * x.shape[-1] ** -0.5, -1), x)


class ModelStrong(nn.Module):
    def __init__(self, features, classes, conv1=128, conv2=256, units=128, dense=256):
        super().__init__()
        self.conv1 = nn.Conv1d(features, conv1, 7, padding=3)
        self.conv2 = nn.Conv1d(conv1, conv2, 5, padding=2)
        self.lstm1 = nn.LSTM(conv2, units, batch_first=True)
        self.lstm2 = nn.LSTM(units, units, batch_first=True)
        self.dense1 = nn.Linear(units, dense)
        self.bn = nn.BatchNorm1d(dense, eps=1e-3, momentum=0.01)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(dense, classes)
        self.initialise()

    def initialise(self):
        for layer in (self.conv1, self.conv2, self.dense1, self.dense2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        for lstm in (self.lstm1, self.lstm2):
            units = lstm.hidden_size
            nn.init.xavier_uniform_(lstm.weight_ih_l0)
            for gate in range(4):
                nn.init.orthogonal_(lstm.weight_hh_l0.data[gate * units:(gate + 1) * units])
            nn.init.zeros_(lstm.bias_ih_l0)
            nn.init.zeros_(lstm.bias_hh_l0)
            lstm.bias_ih_l0.data[units:2 * units] = 1.0
            # Keras has one bias per gate; the second one of nn.LSTM stays zero.
            lstm.bias_hh_l0.requires_grad_(False)

    def pooled(self, x):
        """(N, T, F) to (N, units): layers 1 to 9."""
        x = pool_same(F.relu(self.conv1(x.transpose(1, 2))))
        x = pool_same(F.relu(self.conv2(x)))
        x = self_attention(self.lstm1(x.transpose(1, 2).contiguous())[0])
        return self_attention(self.lstm2(x)[0]).mean(1)

    def forward(self, x):
        return self.dense2(self.dropout(self.bn(F.relu(self.dense1(self.pooled(x))))))


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[8 + size + e["data_offsets"][0]:8 + size + e["data_offsets"][1]],
                                "<f8" if e["dtype"] == "F64" else "<f4").reshape(e["shape"])
            for name, e in header.items()}


def load_reference(t):
    p = {k[6:]: torch.tensor(np.asarray(v, dtype=np.float32)) for k, v in t.items() if k.startswith("param.")}
    model = ModelStrong(p["conv1.kernel"].shape[1], p["dense2.bias"].shape[0], p["conv1.bias"].shape[0],
                        p["conv2.bias"].shape[0], p["lstm1.recurrent"].shape[0], p["dense1.bias"].shape[0])
    with torch.no_grad():
        for name in ("conv1", "conv2"):
            getattr(model, name).weight.copy_(p[name + ".kernel"].permute(2, 1, 0))
            getattr(model, name).bias.copy_(p[name + ".bias"])
        for name in ("lstm1", "lstm2"):
            lstm = getattr(model, name)
            lstm.weight_ih_l0.copy_(p[name + ".kernel"].t())
            lstm.weight_hh_l0.copy_(p[name + ".recurrent"].t())
            lstm.bias_ih_l0.copy_(p[name + ".bias"])
        for name in ("dense1", "dense2"):
            getattr(model, name).weight.copy_(p[name + ".kernel"].t())
            getattr(model, name).bias.copy_(p[name + ".bias"])
        model.bn.weight.copy_(p["bn.gamma"])
        model.bn.bias.copy_(p["bn.beta"])
        model.bn.running_mean.copy_(p["bn.moving_mean"])
        model.bn.running_var.copy_(p["bn.moving_var"])
    return model


def verify(path):
    """Evaluation output, training loss and gradients against the reference case; raises on a difference."""
    t = read_safetensors(path)
    model = load_reference(t)
    x, labels = torch.tensor(t["in.x"], dtype=torch.float32), torch.tensor(t["aux.labels"]).long()
    keep = torch.tensor(t["aux.keep_mask"], dtype=torch.float32)
    model.eval()
    with torch.no_grad():
        probs = F.softmax(model(x), -1).numpy()
    shares = {"eval probabilities": float(np.abs(probs - t["eval.out.probs"]).max() / 1e-5)}
    model.train()
    hidden = model.bn(F.relu(model.dense1(model.pooled(x))))
    loss = F.cross_entropy(model.dense2(hidden * keep * 2.0), labels)
    loss.backward()
    wanted = float(t["train.out.loss"][0])
    shares["training loss"] = abs(float(loss.detach()) - wanted) / (1e-4 * wanted)
    pairs = {"conv1.kernel": model.conv1.weight.grad.permute(2, 1, 0), "conv2.bias": model.conv2.bias.grad,
             "lstm1.kernel": model.lstm1.weight_ih_l0.grad.t(), "lstm2.bias": model.lstm2.bias_ih_l0.grad,
             "lstm2.recurrent": model.lstm2.weight_hh_l0.grad.t(), "dense1.kernel": model.dense1.weight.grad.t(),
             "bn.gamma": model.bn.weight.grad, "dense2.kernel": model.dense2.weight.grad.t()}
    for name, got in pairs.items():
        want = t["grad_param." + name]
        shares["gradient " + name] = float(np.abs(got.numpy() - want).max() / (1e-4 * np.abs(want).max() + 1e-6))
    for name, share in shares.items():
        print("verify %-24s %.3f of the tolerance" % (name, share), file=sys.stderr)
    if not max(shares.values()) <= 1.0:
        raise SystemExit("pytorch_epoch.py: error: %s: the network differs from the reference" % path)
    return max(shares.values())


def pad_clips(folder):
    names = sorted(n for n in os.listdir(folder) if n.endswith(".npy"))
    if not names:
        raise ValueError("%s: no .npy files" % folder)
    clips = [np.load(os.path.join(folder, n), allow_pickle=False) for n in names]
    if any(c.ndim != 2 or c.shape[1] != clips[0].shape[1] for c in clips):
        raise ValueError("%s: every clip must be (frames, features) with one number of features" % folder)
    out = np.zeros((len(clips), max(len(c) for c in clips), clips[0].shape[1]), dtype=np.float32)
    for row, clip in zip(out, clips):
        row[:len(clip)] = clip
    return out


def load_data(options):
    if options.synthetic:
        n, t, f = options.synthetic
        state = np.random.RandomState(1)
        return state.standard_normal((n, t, f)).astype(np.float32), state.randint(0, 8, n)
    labels = None
    if os.path.isdir(options.features):
        x = pad_clips(options.features)
    elif options.features.endswith(".npz"):
        with np.load(options.features, allow_pickle=False) as z:
            x, labels = z["x"], z["y"] if "y" in z else None
    else:
        x = np.load(options.features, allow_pickle=False)
    if options.labels:
        labels = (np.load(options.labels, allow_pickle=False) if options.labels.endswith(".npy")
                  else np.loadtxt(options.labels, dtype=np.int64, ndmin=1))
    if labels is None:
        raise ValueError("--labels is needed")
    if x.ndim != 3 or labels.shape != (len(x),):
        raise ValueError("features %s and labels %s do not fit (N, T, F) and (N)" % (x.shape, labels.shape))
    if not np.isfinite(x).all():
        raise ValueError("%s: not-a-number or infinity in the features" % options.features)
    return np.ascontiguousarray(x, dtype=np.float32), labels.astype(np.int64)


def load_lengths(path, clips, frames):
    """Frames of every clip, or None: every clip is as long as the array."""
    if not path:
        return None
    lengths = np.load(path, allow_pickle=False) if path.endswith(".npy") else np.loadtxt(path, ndmin=1)
    if lengths.shape != (clips,) or not (1 <= lengths.min() and lengths.max() <= frames):
        raise ValueError("%s: %d lengths between 1 and %d are wanted" % (path, clips, frames))
    return torch.from_numpy(lengths.astype(np.int64))


def train_epoch(model, optimizer, x, y, lengths, batch, order):
    total = 0.0
    for start in range(0, len(order), batch):
        rows = order[start:start + batch]
        if len(rows) < 2:
            continue
        optimizer.zero_grad(set_to_none=True)
        part = x[rows] if lengths is None else x[rows, :int(lengths[rows].max())]
        loss = F.cross_entropy(model(part), y[rows])
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(rows)
    return total / len(order)


def measure(options):
    x, y = load_data(options)
    lengths = load_lengths(options.lengths, len(x), x.shape[1])
    x, y = torch.from_numpy(x), torch.from_numpy(np.asarray(y, dtype=np.int64))
    torch.manual_seed(options.seed)
    model = ModelStrong(x.shape[2], max(options.classes, int(y.max()) + 1))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3, eps=1e-7)
    model.train()
    seconds, losses = [], []
    for _ in range(options.epochs):
        order = torch.randperm(len(x))
        began = time.perf_counter()
        losses.append(train_epoch(model, optimizer, x, y, lengths, options.batch, order))
        seconds.append(time.perf_counter() - began)
    return {"samples": len(x), "frames": x.shape[1], "features": x.shape[2], "classes": model.dense2.out_features,
            "batch": options.batch, "cropped": lengths is not None,
            "epoch_seconds": [round(s, 4) for s in seconds],
            "first_epoch_seconds": round(seconds[0], 4), "best_epoch_seconds": round(min(seconds), 4),
            "samples_per_second": round(len(x) / min(seconds), 2), "losses": [round(v, 5) for v in losses]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", help="X.npy, a .npz, or a folder of .npy files")
    parser.add_argument("--labels", help="y.npy or a text file")
    parser.add_argument("--lengths", help="frames of every clip (.npy or text): crop each batch to its longest")
    parser.add_argument("--synthetic", nargs=3, type=int, metavar=("N", "T", "F"), help="random features instead")
    parser.add_argument("--classes", type=int, default=8, help="at least this many (default: 8)")
    parser.add_argument("--batch", type=int, default=64, help="default: 64")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all cores")
    parser.add_argument("--epochs", type=int, default=1, help="default: 1")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--verify", action="store_true",
                        help="check the network against layers/layer_model_strong.safetensors of $SERENE_GOLDEN, or of "
                        "the project's own set")
    options = parser.parse_args()
    torch.set_num_interop_threads(1)
    torch.set_num_threads(max(1, options.threads))
    torch.set_flush_denormal(True)
    result = {"engine": "pytorch", "torch": str(torch.__version__), "threads": torch.get_num_threads(),
              "onednn": bool(torch.backends.mkldnn.is_available())}
    if options.verify:
        here = os.path.dirname(os.path.abspath(__file__))
        own = os.path.join(here, "..", "tests", "golden", "data")
        path = os.path.join(os.environ.get("SERENE_GOLDEN") or own, "layers", "layer_model_strong.safetensors")
        result["verified_share_of_tolerance"] = round(verify(path), 4)
    if options.features or options.synthetic:
        try:
            result.update(measure(options))
        except (OSError, ValueError, KeyError) as e:
            raise SystemExit("pytorch_epoch.py: error: %s" % e) from None
    elif not options.verify:
        parser.error("--features, --synthetic or --verify is needed")
    result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
