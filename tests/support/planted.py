"""Does the harness find bugs? Each patch of tests/planted is applied to a copy of the tree, and the tests that its header names have
to fail on it within 1,000 seeds.

    planted.py             all of them, and before them the tree without any, which has to pass
    planted.py NAME...     these; the start of a name will do

What is built is kept in target/planted, beside a link to each dependency that target/debug has.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
PLANTED = TARGET / "planted"
TREE = PLANTED / "tree"
BUILD = PLANTED / "build"
# More seeds only where fewer found nothing.
STAGES = (40, 250, 1_000)
# Under a paused clock whatever turns in circles stands still for ever: that is found, too.
STAGE_SECONDS_MAX = 1_200


def main(names: list[str]) -> int:
    patches = sorted((ROOT / "tests/planted").glob("*.patch"))
    chosen = [patch for patch in patches if not names or any(patch.stem.startswith(name) for name in names)]
    if not chosen or len(chosen) < len(set(names)):
        print(f"planted: not all of {names} are in tests/planted", file=sys.stderr)
        return 2
    dependencies()
    copy()
    if not names:
        sound()
    survivors = [patch.stem for patch in chosen if not found(patch)]
    print(f"planted bugs: {len(chosen) - len(survivors)} of {len(chosen)} found")
    for name in survivors:
        print(f"planted: {name} survives", file=sys.stderr)
    return 1 if survivors else 0


def sound() -> None:
    """What is found must be the bug: the tree without one passes."""
    for suite in ("it simulation", "lib checkpoint"):
        failed, told, seconds = run(suite, STAGES[0])
        if failed:
            sys.exit(f"planted: the tree itself fails in {suite}, so that nothing can be said of bugs:\n{told}")
        print(f"  without a bug: {suite} passes in {seconds:.0f} s", flush=True)


def found(patch: pathlib.Path) -> bool:
    header = patch.read_text().split("\ndiff ", 1)[0]
    suite = re.search(r"^Found by: (.+)$", header, re.MULTILINE)
    if not suite:
        sys.exit(f"planted: {patch.name} does not say by which tests it is found")
    copy()
    # Outside of any repository, or git would look for the files in this one.
    ceiling = os.environ | {"GIT_CEILING_DIRECTORIES": str(TREE.parent)}
    subprocess.run(["git", "apply", "-C1", str(patch)], cwd=TREE, env=ceiling, check=True)
    for seeds in STAGES:
        failed, told, seconds = run(suite[1], seeds)
        if failed:
            what = re.search(r"^test (\S+) \.\.\. FAILED$", told, re.MULTILINE)
            seed = re.search(r"\bseed (\d+)", told)
            print(
                f"  {patch.stem}: found in {seconds:.0f} s by {what[1] if what else 'a test that never ended'}"
                + (f", seed {seed[1]}" if seed else ""),
                flush=True,
            )
            (PLANTED / f"{patch.stem}.log").write_text(told)
            return True
    print(f"  {patch.stem}: SURVIVES", flush=True)
    return False


def run(suite: str, seeds: int) -> tuple[bool, str, float]:
    target, _, tests = suite.partition(" ")
    cargo = ["cargo", "test", "--locked", *(["--lib"] if target == "lib" else ["--test", target])]
    environment = os.environ | {"CARGO_TARGET_DIR": str(BUILD), "SLUICEGATE_SEEDS": str(seeds)}
    built = subprocess.run([*cargo, "--no-run"], cwd=TREE, env=environment, capture_output=True, text=True)
    if built.returncode:
        sys.exit(f"planted: it does not compile:\n{built.stderr}")
    started = time.monotonic()
    try:
        ran = subprocess.run(
            [*cargo, "--", *tests.split()], cwd=TREE, env=environment, timeout=STAGE_SECONDS_MAX, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as expired:
        return True, str(expired.stdout), time.monotonic() - started
    if ran.returncode == 0 and not re.search(r"^test result: ok\. [1-9]", ran.stdout, re.MULTILINE):
        sys.exit(f"planted: {suite} ran no test")
    return ran.returncode != 0, ran.stdout, time.monotonic() - started


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
    if BUILD.is_dir() or not (TARGET / "debug/deps").is_dir():
        return

    def ours(_: str, names: list[str]) -> set[str]:
        return {name for name in names if re.match(r"(lib)?sluicegate|it-|hot-|filter-|checkpoint-", name)}

    for part in ("deps", "build", ".fingerprint"):
        shutil.copytree(TARGET / "debug" / part, BUILD / "debug" / part, copy_function=os.link, ignore=ours)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
