"""Training steps of model_strong: against PyTorch, against the machine's peak, for every number of threads."""
from . import figures
from .workers import Team

BATCH = 64
# PyTorch's settings; the fastest of each round counts. A short spin helps its threads on a quiet machine, passive
# waiting on a busy one.
SETTINGS = {"oneDNN": ([], {}), "oneDNN, spinning": ([], {"GOMP_SPINCOUNT": "300000"}), "without oneDNN": (["--no-onednn"], {})}


def against_torch(context, threads):
    with Team() as team:
        team.add("serene", context.commands.serene("training", BATCH, threads))
        team.add("peak", context.commands.serene("peak", threads=threads))
        torch = []
        if context.commands.python:
            for name, (arguments, settings) in SETTINGS.items():
                if threads > 1 or "GOMP_SPINCOUNT" not in settings:
                    torch.append("torch " + name)
                    team.add(torch[-1], context.commands.torch("training", BATCH, threads, *arguments), settings)
        tried = len(torch)
        if torch:
            torch = team.keep(torch, figures.without_slow(team.workers, torch))
        answers = figures.interleave(team.workers, context.rounds, context.seconds)
        flops = team.workers["serene"].facts["flops"]
    ours = figures.medians(answers["serene"])
    work = "training, batch %d, %d thread%s" % (BATCH, threads, "s" * (threads > 1))
    rate = figures.rates(BATCH, ours)
    share = [100 * r * flops * 1e-9 / p["gflops"] for r, p in zip(rate, answers["peak"])]
    rows = [figures.row("training", work + ": share of the multiply-add peak", share, "%",
                        goal=(">=", 75) if threads == 1 else None,
                        note="peak %.0f GFLOP/s" % figures.spread([p["gflops"] for p in answers["peak"]])["median"])]
    if torch:
        theirs = figures.best_of(answers, torch)
        best = {name: figures.spread(figures.medians(answers[name]))["median"] for name in torch}
        rows.insert(0, figures.row("training", work, rate, "samples/s", "PyTorch", figures.rates(BATCH, theirs),
                                   figures.ratios(theirs, ours), (">=", 1.5 if threads == 1 else 2.0),
                                   "PyTorch's best of %d settings: %s" % (tried, min(best, key=best.get)[6:])))
    return rows


def own(context, work, sides, group, unit="samples/s", batch=BATCH, goal=None, note=""):
    """Two of our own sides against each other: {label: command}, the first is the one that should be faster."""
    with Team() as team:
        for name, command in sides.items():
            team.add(name, command)
        answers = figures.interleave(team.workers, context.rounds, context.seconds)
    fast, slow = (figures.medians(answers[name]) for name in sides)
    return figures.row(group, work, figures.rates(batch, fast), unit, list(sides)[1], figures.rates(batch, slow),
                       figures.ratios(slow, fast), goal, note)


def threads(context):
    """Every number of threads against one."""
    c = context.commands
    return [own(context, "training, batch 64, %d threads" % n,
                {"own %d" % n: c.serene("training", BATCH, n), "own 1 thread": c.serene("training", BATCH, 1)}, "training",
                goal=(">=", 1.85) if n == 2 else None) for n in context.thread_counts if n > 1]


def bf16(context):
    c = context.commands
    return [own(context, "training in bf16, batch 64, 1 thread",
                {"bf16": c.serene("training", BATCH, precision="bf16"), "own float32": c.serene("training", BATCH)}, "training",
                goal=(">=", 1.4))]


def rows(context):
    result = []
    for n in context.thread_counts[:2]:
        result += against_torch(context, n)
    result += threads(context)
    result += context.optional("training in bf16", lambda: bf16(context))
    return result
