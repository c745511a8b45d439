"""Does the harness find bugs? Each patch of tests/planted is applied to a copy of the tree, and the tests that its header names have
to fail on it within 1,000 seeds.

    planted.py             all of them, and before them the tree without any, which has to pass
    planted.py NAME...     these; the start of a name will do
    planted.py --sample    the five of SAMPLE, by few seeds; and that every patch fits the tree
    planted.py --check     only that every patch fits the tree

What is built is kept in target/planted, beside a link to each dependency that target/debug has, and so is what each failure said.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
PLANTED = TARGET / "planted"
TREE = PLANTED / "tree"
BUILD = PLANTED / "build"
PATCHES = ROOT / "tests/planted"
# Seeds, and how much our own crate is optimised: most bugs are found before an optimised build would be done. More only where fewer
# found nothing.
STAGES = ((40, 0), (250, 1), (1_000, 1))
# Under a paused clock whatever turns in circles stands still for ever: that is found, too.
STAGE_SECONDS_MAX = 1_200
# The sample is found by the first three seeds.
SAMPLE_STAGES = ((8, 0), (40, 0))
# For tests/run: one of each suite, by the part of the harness that must see it.
SAMPLE = (
    # Standard queues: the ledger of deletes (I1).
    "b13a-deleted-on-a-function-error",
    # Ordered queues: the order of deletes (I12).
    "o01-later-messages-of-a-group-are-deleted",
    # Kinesis by polls: checkpoints after a kill (I3).
    "b05-checkpoint-of-what-is-queued",
    # DynamoDB streams: shards that end while they are delivered (I3, I13).
    "b06-shard-ends-with-records-in-hand",
    # The checkpoint file: what a lost write leaves.
    "b18-commits-are-not-synced",
)


def main(names: list[str]) -> int:
    patches = sorted(PATCHES.glob("*.patch"))
    stages = STAGES
    if names in (["--check"], ["--sample"]):
        unfit = [patch.name for patch in patches if not fits(patch)]
        for name in unfit:
            print(f"planted: {name} does not fit the tree any more", file=sys.stderr)
        print(f"planted bugs: {len(patches) - len(unfit)} of {len(patches)} fit the tree", flush=True)
        if unfit or names == ["--check"]:
            return 1 if unfit else 0
        names, stages = list(SAMPLE), SAMPLE_STAGES
    chosen = [patch for patch in patches if not names or any(patch.stem.startswith(name) for name in names)]
    if not chosen or any(not any(patch.stem.startswith(name) for patch in chosen) for name in names):
        print(f"planted: not all of {names} are in tests/planted", file=sys.stderr)
        return 2
    started = time.monotonic()
    dependencies()
    copy()
    if not names:
        sound(chosen)
    survivors = [patch.stem for patch in chosen if not found(patch, stages)]
    print(f"planted bugs: {len(chosen) - len(survivors)} of {len(chosen)} found in {time.monotonic() - started:.0f} s")
    for name in survivors:
        print(f"planted: {name} survives", file=sys.stderr)
    return 1 if survivors else 0


def sound(patches: list[pathlib.Path]) -> None:
    """What is found must be the bug: the tree without one passes."""
    for suite in sorted({suite_of(patch) for patch in patches}):
        failed, told, _, seconds = run(suite, *STAGES[0])
        if failed:
            sys.exit(f"planted: the tree itself fails in {suite}, so that nothing can be said of bugs:\n{told}")
        print(f"  without a bug: {suite} passes in {seconds:.0f} s", flush=True)


def suite_of(patch: pathlib.Path) -> str:
    header = patch.read_text().split("\ndiff ", 1)[0]
    suite = re.search(r"^Found by: (.+)$", header, re.MULTILINE)
    if not suite:
        sys.exit(f"planted: {patch.name} does not say by which tests it is found")
    return suite[1]


def fits(patch: pathlib.Path) -> bool:
    checked = subprocess.run(["git", "apply", "--check", "-C1", str(patch)], cwd=ROOT)
    return checked.returncode == 0


def found(patch: pathlib.Path, stages: tuple[tuple[int, int], ...]) -> bool:
    suite = suite_of(patch)
    copy()
    # Outside of any repository, or git would look for the files in this one.
    ceiling = os.environ | {"GIT_CEILING_DIRECTORIES": str(TREE.parent)}
    subprocess.run(["git", "apply", "-C1", str(patch)], cwd=TREE, env=ceiling, check=True)
    for seeds, level in stages:
        failed, told, building, seconds = run(suite, seeds, level)
        if failed:
            what = re.search(r"^test (\S+) \.\.\. FAILED$", told, re.MULTILINE)
            seed = re.search(r"\bseed (\d+)", told)
            print(
                f"  {patch.stem}: found in {seconds:.0f} s, and {building:.0f} s to build it,"
                f" by {what[1] if what else 'a test that never ended'}" + (f", seed {seed[1]}" if seed else ""),
                flush=True,
            )
            (PLANTED / f"{patch.stem}.log").write_text(told)
            replay = re.search(r"(SLUICEGATE_(?:CUTS|SEED)=.* cargo test .*)$", told, re.MULTILINE)
            if replay:
                # As it was built, or all of it would be built anew: the folder as it is called from within the tree.
                settings = f"CARGO_TARGET_DIR={os.path.relpath(BUILD, TREE)} CARGO_PROFILE_TEST_OPT_LEVEL={level}"
                print(f"    again: cd {shown(TREE)} && {settings} {replay[1]}", flush=True)
            return True
    print(f"  {patch.stem}: SURVIVES", flush=True)
    return False


def shown(path: pathlib.Path) -> str:
    """From where the reader stands, when that is shorter."""
    return os.path.relpath(path) if pathlib.Path.cwd() in path.parents else str(path)


def run(suite: str, seeds: int, level: int) -> tuple[bool, str, float, float]:
    """Whether the suite failed, what it said, how long building it took and how long it ran."""
    target, _, tests = suite.partition(" ")
    cargo = ["cargo", "test", "--locked", *(["--lib"] if target == "lib" else ["--test", target])]
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(BUILD),
        "CARGO_PROFILE_TEST_OPT_LEVEL": str(level),
        "SLUICEGATE_SEEDS": str(seeds),
    }
    started = time.monotonic()
    built = subprocess.run([*cargo, "--no-run"], cwd=TREE, env=environment, capture_output=True, text=True)
    if built.returncode:
        sys.exit(f"planted: it does not compile:\n{built.stderr}")
    building, started = time.monotonic() - started, time.monotonic()
    # A group of its own: whatever cargo started ends with it.
    ran = subprocess.Popen(
        [*cargo, "--", *tests.split()], cwd=TREE, env=environment, start_new_session=True, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        told, ended = ran.communicate(timeout=STAGE_SECONDS_MAX)[0], True
    except subprocess.TimeoutExpired:
        os.killpg(ran.pid, signal.SIGKILL)
        told, ended = ran.communicate()[0], False
    seconds = time.monotonic() - started
    if ran.returncode == 0 and not re.search(r"^test result: ok\. [1-9]", told, re.MULTILINE):
        sys.exit(f"planted: {suite} ran no test")
    return not ended or ran.returncode != 0, told, building, seconds


def copy() -> None:
    """The files of the tree as they are; those that did not change keep their age, and are not built again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for path in list(TREE.rglob("*")):
        if path.is_file() and str(path.relative_to(TREE)) not in wanted:
            path.unlink()
    for name in wanted:
        source, there = (ROOT / name).read_bytes(), TREE / name
        if not there.is_file() or there.read_bytes() != source:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(source)


def dependencies() -> None:
    """Links to what target/debug has of others; what is ours is built from the copy, under other names."""

    def ours(_: str, names: list[str]) -> set[str]:
        return {name for name in names if re.match(r"(lib)?sluicegate|it-|hot-|filter-|checkpoint-", name)}

    def link(source: str, there: str) -> None:
        if not os.path.exists(there):
            os.link(source, there)

    for part in ("deps", "build", ".fingerprint"):
        if (TARGET / "debug" / part).is_dir():
            shutil.copytree(TARGET / "debug" / part, BUILD / "debug" / part, copy_function=link, ignore=ours, dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
