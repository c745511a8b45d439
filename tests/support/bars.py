"""Adds up what the suites of the simulation left (tests/it/support/bars.rs), prints the table of the bars, and fails where one is
missed: `bars.py FOLDER`. `bars.py --sum FOLDER...` adds up many runs of a soak, which fails only where a promise was broken."""

import json
import pathlib
import sys

# What a run has to reach: the figure's name, how the table calls it, the least that will do.
BARS = [
    ("seeds", "whole lives drawn from seeds", 1_000),
    ("hours", "simulated hours", 2_000),
    ("fault_total", "faults", 100_000),
    ("crash_scenarios", "scenarios swept by kills at every point", 12),
    ("crash_points", "kills in these sweeps", 1_000),
    ("crash_images", "crash images of the checkpoint file", 20_000),
]
# Each kind of fault at least so often, and each place that a suite names at least once.
KIND_LEAST = 50


def read(folder: str) -> dict[str, dict]:
    """The figures of each suite."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))}


def add(suites: list[dict]) -> tuple[dict[str, float], dict[str, int]]:
    """The figures of all of them, and how often each kind of fault came."""
    total = {key: sum(suite[key] for suite in suites) for key, _, _ in BARS if key != "fault_total"}
    faults: dict[str, int] = {}
    for suite in suites:
        for kind, count in suite["faults"].items():
            faults[kind] = faults.get(kind, 0) + count
    total["fault_total"] = sum(faults.values())
    return total, faults


def sum_up(folders: list[str]) -> int:
    suites = [suite for folder in folders for suite in read(folder).values()]
    total, _ = add(suites)
    broken = sum(suite["violations"] for suite in suites)
    for key, what, _ in BARS:
        print(f"  {what:<44}{total[key]:>14,.0f}")
    print(f"  {'promises broken':<44}{broken:>14,}")
    return 1 if broken else 0


def main(folder: str) -> int:
    suites = read(folder)
    if not suites:
        print(f"bars: no suite left its figures in {folder}", file=sys.stderr)
        return 1
    total, faults = add(list(suites.values()))

    missed = []
    print(f"suites: {', '.join(suites)}")
    for kind, count in sorted(faults.items()):
        verdict = "" if count >= KIND_LEAST else f"   MISSED: at least {KIND_LEAST}"
        print(f"  {kind:<28}{count:>10,}{verdict}")
        if verdict:
            missed.append(f"the fault {kind} came {count} times")
    for name, suite in suites.items():
        never = [place for place, count in suite["reached"].items() if not count]
        missed += [f"{name} never reached: {place}" for place in never]
        print(f"{name}: {len(suite['reached']) - len(never)} of {len(suite['reached'])} places reached")
        if suite["violations"]:
            missed.append(f"{name}: {suite['violations']} promises broken")
    print()
    for key, what, least in BARS:
        verdict = "pass" if total[key] >= least else "MISSED"
        print(f"  {what:<44}{total[key]:>12,.0f}   bar {least:>8,}   {verdict}")
        if verdict != "pass":
            missed.append(f"{what}: {total[key]:,.0f} of {least:,}")
    print(f"  {'promises broken':<44}{sum(suite['violations'] for suite in suites.values()):>12,}   bar {0:>8}")
    for line in missed:
        print(f"bars: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(sum_up(sys.argv[2:]) if sys.argv[1] == "--sum" else main(sys.argv[1]))
