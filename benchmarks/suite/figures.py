"""Numbers of rounds: medians with their range, ratios within a round, and whether a goal is reached."""
import statistics


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": list(values)}


def without_slow(workers, settings, factor=1.5):
    """A first short turn of each setting of a peer: the settings worth a place in the rounds, none that take `factor`
    times as long as the best. Spares the time for those that never win."""
    first = {name: workers[name].ask("run 0.2")["median_s"] for name in settings}
    return [name for name in settings if first[name] <= factor * min(first.values())]


def interleave(workers, rounds, seconds):
    """{name: [answer of each round]}. Each round asks everyone once; who begins changes from round to round."""
    names, answers = list(workers), {name: [] for name in workers}
    for name in names:
        workers[name].ask("run %g" % min(0.2, seconds))  # the first calls of a process are slower
    for number in range(rounds):
        for i in range(len(names)):
            name = names[(i + number) % len(names)]
            answers[name].append(workers[name].ask("run %g" % seconds))
    return answers


def medians(answers, key="median_s"):
    return [a[key] for a in answers]


def best_of(answers, names):
    """The seconds of the fastest of `names` within each round: a peer's best setting, chosen anew each time."""
    return [min(answers[name][i]["median_s"] for name in names) for i in range(len(answers[names[0]]))]


def row(group, work, ours, unit, against="", theirs=None, ratio=None, goal=None, note=""):
    """One line of the table. ours, theirs, ratio: values per round. ratio: how many times as fast (or as small) serene
    is. goal: (">=" or "<=", limit) on the ratio if there is one, on our own value otherwise."""
    result = {"group": group, "work": work, "unit": unit, "serene": spread(ours), "against": against,
              "peer": spread(theirs) if theirs else None, "ratio": spread(ratio) if ratio else None, "goal": goal,
              "reached": None, "note": note}
    if goal:
        value = result["ratio" if ratio else "serene"]["median"]
        result["reached"] = value >= goal[1] if goal[0] == ">=" else value <= goal[1]
    return result


def ratios(theirs, ours):
    return [t / o for t, o in zip(theirs, ours)]


def rates(batch, seconds):
    return [batch / s for s in seconds]
