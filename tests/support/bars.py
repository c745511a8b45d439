"""Adds up what the suites of the simulation left (tests/it/support/bars.rs), prints the table of the bars, and fails where one is
missed: `bars.py FOLDER`."""

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


def main(folder: str) -> int:
    suites = {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))}
    if not suites:
        print(f"bars: no suite left its figures in {folder}", file=sys.stderr)
        return 1
    total = {key: sum(suite[key] for suite in suites.values()) for key, _, _ in BARS if key != "fault_total"}
    faults: dict[str, int] = {}
    for suite in suites.values():
        for kind, count in suite["faults"].items():
            faults[kind] = faults.get(kind, 0) + count
    total["fault_total"] = sum(faults.values())

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
    sys.exit(main(sys.argv[1]))
