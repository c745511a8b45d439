"""Do the tests hold what the code does? cargo-mutants lists what could be wrong in an area, one place at a time, and some test has
to fail for each.

    mutants.py AREA                       every mutant of model, of checkpoint, or of the engines: queue and stream
    mutants.py AREA PLACE...              those of these files and folders, as src/model/kpl.rs or src/queue
    mutants.py AREA --sample N --seed S   N of them, drawn by the seed S
    mutants.py AREA --again               those that were missed the last time
    mutants.py --check                    none: only that each waiver is of a mutant that is there

A mutant that survives fails the run, unless tests/mutants/waived.toml names it with a reason; so does a waiver of a mutant that
is not there, or that a test catches.

An area is built as a package of its own below target/mutants, with the files and dependencies that it needs and no others. It is
built once for all mutants, each behind a switch (tests/mutants/switch.rs); those that the compiler refuses are left out. Each test
tells by which switches it comes, so that a mutant is tried by those tests alone that can tell, the quickest first, up to the
first failure. What cannot be switched, a constant say, is built by itself.
"""

import argparse
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WAIVED = ROOT / "tests/mutants/waived.toml"
VERSION = "27.1.0"
TOOL = TARGET / f"tools/cargo-mutants-{VERSION}"
SWITCH = TARGET / "tools/switch"


class Area(typing.NamedTuple):
    """`rooms` are what is mutated, below src. Its package is of those and the rooms that they `need`, and the tests are their own; or
    it is of everything (`None`), with those of tests/it in the package itself. `tests` are the beginnings of their names.
    `level`: how far they are optimised, worth its while where they take longer than the compiler does."""

    rooms: tuple[str, ...]
    need: tuple[str, ...] | None
    tests: tuple[str, ...]
    level: str


AREAS = {
    "model": Area(("model",), (), ("model::",), "0"),
    "checkpoint": Area(("checkpoint",), ("model",), ("checkpoint::",), "1"),
    "engines": Area(("queue", "stream"), None, ("queue::", "engine::", "stream::", "streams::"), "1"),
}
# Of tests/it, what the tests of those two are made of.
PARTS = ("engine", "streams", "support")
# Where a dependency's name in code is not that of its package.
NAMED = {"md-5": "md5"}

# A mutant that turns in circles is ended after so many times the CPU seconds that the same tests take of the unchanged code, and one
# that stands still by the clock, with time for a machine that is busy otherwise. Either counts as caught.
CPU_TIMES_MAX = 4
# Where they are not optimised, as those of the unchanged code were.
UNOPTIMISED_TIMES_MAX = 40
CPU_SECONDS_MIN = 5
WALL_TIMES_MAX = 10
WALL_SECONDS_MIN = 60
MEMORY_BYTES_MAX = 4 << 30
# Tests that take no longer are run in one process; each of the others has one of its own.
SHORT_SECONDS_MAX = 0.1
FATES = ("caught", "clock", "missed", "unviable")


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return check()
    parser = argparse.ArgumentParser(usage="mutants.py [--check | AREA [PLACE... | --again] [--sample N --seed S]]")
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("places", nargs="*")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)

    started = time.monotonic()
    install()
    work = Work(wanted.area)
    chosen = list(range(len(work.mutants)))
    if wanted.places:
        at = [tuple(place for place in wanted.places if within(mutant["file"], place)) for mutant in work.mutants]
        if unknown := set(wanted.places) - {place for places in at for place in places}:
            sys.exit(f"mutants: nothing to mutate in {', '.join(sorted(unknown))}")
        chosen = [number for number in chosen if at[number]]
    if wanted.again:
        missed = (work.folder / "missed.txt").read_text().splitlines()
        chosen = [number for number in chosen if work.mutants[number]["name"] in missed]
    if wanted.sample is not None and wanted.sample < len(chosen):
        chosen = sorted(random.Random(wanted.seed).sample(chosen, wanted.sample))
    # Before the time that a run may take.
    waivers = work.waivers()
    fates = work.run(chosen)

    named = [(fates[number], work.mutants[number]["name"]) for number in chosen]
    (work.folder / "missed.txt").write_text("".join(f"{name}\n" for fate, name in named if fate == "missed"))
    for room in work.area.rooms:
        here = [(fate, name) for fate, name in named if in_room(name, room)]
        total = sum(in_room(mutant["name"], room) for mutant in work.mutants)
        count = {fate: sum(fate == other for other, _ in here) for fate in FATES}
        waived = sum(fate == "missed" and any(work.covers(waiver, name) for waiver in waivers) for fate, name in here)
        viable = len(here) - count["unviable"]
        killed = count["caught"] + count["clock"]
        print(
            f"mutants of {room}: {len(here)} of {total}; {count['unviable']} do not compile; of the other {viable} {killed} are caught"
            f" ({count['clock']} of them stood still), {waived} waived, {count['missed'] - waived} missed:"
            f" {100 * killed / max(viable, 1):.1f} %, without the waived {100 * killed / max(viable - waived, 1):.1f} %"
        )
    print(f"mutants: {time.monotonic() - started:.0f} s")
    missed = [name for fate, name in named if fate == "missed" and not any(work.covers(waiver, name) for waiver in waivers)]
    wrong = [name for fate, name in named if fate in ("caught", "clock") and any(work.covers(waiver, name) for waiver in waivers)]
    for name in missed:
        print(f"missed: {name}", file=sys.stderr)
    for name in wrong:
        print(f"waived, and caught: {name}", file=sys.stderr)
    return 1 if missed or wrong else 0


def check() -> int:
    install()
    count = sum(len(Work(area).waivers()) for area in AREAS)
    print(f"mutants: {count} waivers are of mutants that are there")
    return 0


def within(file: str, place: str) -> bool:
    return file == place or file.startswith((f"{place}/", f"{place}.rs"))


def in_room(name: str, room: str) -> bool:
    return name.startswith((f"src/{room}.rs:", f"src/{room}/"))


def install() -> None:
    if not (TOOL / "bin/cargo-mutants").exists():
        quickly = {
            "CARGO_TARGET_DIR": str(TARGET / "tools/build"), "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_PROFILE_DEV_INCREMENTAL": "false",
        }
        subprocess.run(
            ["cargo", "install", "--quiet", "--debug", "--locked", "--no-track", "--root", TOOL, "--version", VERSION, "cargo-mutants"],
            env=os.environ | quickly, check=True,
        )
        shutil.rmtree(TARGET / "tools/build")
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--manifest-path", ROOT / "tests/mutants/Cargo.toml", "--target-dir", SWITCH], check=True
    )


class Work:
    """The package of an area, and what becomes of its mutants."""

    def __init__(self, area: str) -> None:
        self.area = AREAS[area]
        self.folder = TARGET / "mutants" / area
        self.tree = self.folder / "tree"
        self.build = self.folder / "build"
        self.files = everything() if self.area.need is None else some([*self.area.rooms, *self.area.need])
        self.put({})
        files = [option for room in self.area.rooms for glob in (f"src/{room}.rs", f"src/{room}/**") for option in ("--file", glob)]
        told = subprocess.run(
            [TOOL / "bin/cargo-mutants", "mutants", "--no-config", "--list", "--json", *files],
            cwd=self.tree, check=True, stdout=subprocess.PIPE, text=True,
        )
        self.mutants = json.loads(told.stdout)
        (self.folder / "list.json").write_text(told.stdout)

    def put(self, changed: dict[str, str]) -> None:
        """The files of the package, those that are `changed` among them. What stays the same keeps its age."""
        wanted = self.files | changed
        if not (self.tree / "Cargo.lock").exists():
            wanted["Cargo.lock"] = (ROOT / "Cargo.lock").read_text()
        for path in [path for part in ("src", "tests", "support", "config", "deploy") for path in (self.tree / part).rglob("*") if path.is_file()]:
            if str(path.relative_to(self.tree)) not in wanted:
                path.unlink()
        for name, text in wanted.items():
            there = self.tree / name
            if not there.is_file() or text_of(there) != text:
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(text.encode(errors="surrogateescape"))

    def run(self, chosen: list[int]) -> dict[int, str]:
        """What becomes of each of the chosen, by its number; of another, that it was not chosen."""
        if self.area.need is None:
            dependencies(self.build)
        fates = dict.fromkeys(range(len(self.mutants)), "not chosen")
        binary, refused, unswitched = self.switched(set(fates) - set(chosen))
        tests = self.reaching(binary)
        everybody = sorted(tests, key=lambda name: tests[name][0])
        count = 0
        for number in sorted(chosen, key=lambda number: number in unswitched):
            if number in refused:
                fates[number] = "unviable"
            elif number in unswitched:
                fates[number] = self.alone(number, everybody, tests)
            else:
                able = [name for name in everybody if number in tests[name][1]]
                fates[number] = self.tried(binary, number, able, tests)
            count += 1
            if fates[number] == "missed":
                print(f"  survives: {self.mutants[number]['name']}", flush=True)
            if count % 100 == 0:
                print(f"  {count} of {len(chosen)}", flush=True)
        self.put({})
        return fates

    def switched(self, left_out: set[int]) -> tuple[pathlib.Path, set[int], set[int]]:
        """One build of all, without those that the compiler refuses, and those that no switch can be put at."""
        refused: set[int] = set()
        while True:
            self.put({})
            numbers = json.dumps(sorted(refused | left_out))
            told = subprocess.run(
                [SWITCH / "debug/switch", self.folder / "list.json", self.tree, numbers], check=True, stdout=subprocess.PIPE, text=True
            )
            root = self.tree / "src/lib.rs"
            root.write_text(root.read_text() + "\npub mod switch;\n")
            (self.tree / "src/switch.rs").write_text((ROOT / "tests/mutants/switched.rs").read_text())
            binary, errors = self.cargo(self.area.level)
            if binary:
                kept = self.folder / "switched"
                shutil.copy(binary, kept)
                return kept, refused, set(json.loads(told.stdout))
            refused |= self.blamed(errors)

    def blamed(self, errors: list[dict]) -> set[int]:
        """The mutants at which the compiler's errors are; at least one, or the area itself does not compile."""
        found = set()
        for error in errors:
            spans = error["spans"]
            for span in sorted(spans, key=lambda span: not span["is_primary"]):
                if numbers := self.marked(span):
                    found |= numbers
                    break
            else:
                # A match that an arm is missing from is blamed at its head, and marked at the arm.
                found |= self.arms(next(span for span in spans if span["is_primary"]))
        if not found:
            sys.exit("mutants: it does not compile:\n" + "\n".join(error["rendered"] for error in errors))
        return found

    def marked(self, span: dict) -> set[int]:
        """By the marks around a place: the innermost mutant, or all that are at the innermost place."""
        text = (self.tree / span["file_name"]).read_bytes()[: span["byte_start"] + 1].decode(errors="ignore")
        open_marks: list[tuple[str, set[int]]] = []
        for mark in re.finditer(r"/\*(?:([(\[])([\d,]+)|[)\]])\*/", text):
            if mark[1]:
                open_marks.append((mark[1], {int(number) for number in mark[2].split(",")}))
            else:
                open_marks.pop()
        return next((numbers for kind, numbers in reversed(open_marks) if kind == "("), open_marks[-1][1] if open_marks else set())

    def arms(self, span: dict) -> set[int]:
        """The mutants that leave out an arm of the match on this."""
        text = (self.tree / span["file_name"]).read_bytes()[span["byte_end"] :].decode(errors="ignore")
        depth = 0
        for mark in re.finditer(r"[{}]", text):
            depth += 1 if mark[0] == "{" else -1
            if depth == 0:
                return {int(number) for number in re.findall(r"if !crate::switch::on\((\d+)\)", text[: mark.start()])}
        return set()

    def cargo(self, level: str) -> tuple[pathlib.Path | None, list[dict]]:
        """The test binary of this package, optimised so far, if one was built; else the errors."""
        environment = os.environ | {
            "CARGO_TARGET_DIR": str(self.build),
            "CARGO_PROFILE_TEST_OPT_LEVEL": level,
            # What the tests of the process run; none of those is among ours.
            "CARGO_BIN_EXE_sluicegate": "sluicegate",
        }
        ran = subprocess.run(
            ["cargo", "test", "--lib", "--no-run", "-j1", "--message-format=json"], cwd=self.tree, env=environment, capture_output=True, text=True
        )
        told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
        errors = [
            line["message"] for line in told
            if line["reason"] == "compiler-message" and line["message"]["level"] == "error" and line["message"]["spans"]
        ]
        binary = [line["executable"] for line in told if line.get("executable")]
        if ran.returncode and not errors:
            sys.exit(f"mutants: cargo test:\n{ran.stderr}")
        return (pathlib.Path(binary[-1]) if binary and not ran.returncode else None), errors

    def reaching(self, binary: pathlib.Path) -> dict[str, tuple[float, set[int]]]:
        """Of each test how long it takes, in CPU seconds, and which switches it comes by. Without a mutant, each passes."""
        listed = subprocess.run([binary, "--list", "--format", "terse"], check=True, stdout=subprocess.PIPE, text=True, cwd=self.tree)
        names = [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.startswith(self.area.tests)]
        reached = self.folder / "reached"
        tests = {}
        for name in names:
            reached.unlink(missing_ok=True)
            before = spent()
            code, _ = attempt([binary, "--exact", name], self.tree, {"SLUICEGATE_REACHED": str(reached)}, None)
            if code:
                sys.exit(f"mutants: {name} fails without a mutant")
            tests[name] = spent() - before, {int(line) for line in reached.read_text().split()} if reached.exists() else set()
        print(f"  {len(tests)} tests take {sum(seconds for seconds, _ in tests.values()):.0f} s of CPU", flush=True)
        return tests

    def tried(
        self, binary: pathlib.Path, number: int | None, able: list[str], tests: dict[str, tuple[float, set[int]]], times: int = CPU_TIMES_MAX
    ) -> str:
        """What becomes of a mutant at the hands of these tests, which may take so many times what they usually take."""
        short = [name for name in able if tests[name][0] <= SHORT_SECONDS_MAX]
        for names in [short] * bool(short) + [[name] for name in able[len(short):]]:
            seconds = max(CPU_SECONDS_MIN, times * sum(tests[name][0] for name in names))
            switch = {} if number is None else {"SLUICEGATE_MUTANT": str(number)}
            code, stood = attempt([binary, "--exact", *names], self.tree, switch, seconds)
            if code:
                return "clock" if stood else "caught"
        return "missed"

    def alone(self, number: int, able: list[str], tests: dict[str, tuple[float, set[int]]]) -> str:
        """The same of one that is built by itself."""
        mutant = self.mutants[number]
        text = self.files[mutant["file"]]
        rows = text.splitlines(keepends=True)
        start, end = (
            sum(len(row) for row in rows[: mutant["span"][edge]["line"] - 1]) + mutant["span"][edge]["column"] - 1 for edge in ("start", "end")
        )
        self.put({mutant["file"]: text[:start] + mutant["replacement"] + text[end:]})
        binary, _ = self.cargo("0")
        return self.tried(binary, None, able, tests, UNOPTIMISED_TIMES_MAX) if binary else "unviable"

    def waivers(self) -> list[dict[str, str]]:
        """Those of the area, each of a mutant that is there."""
        waivers = [
            waiver for waiver in tomllib.loads(WAIVED.read_text()).get("waived", [])
            if any(in_room(f"{waiver['file']}:", room) for room in self.area.rooms)
        ]
        names = [mutant["name"] for mutant in self.mutants]
        idle = [waiver for waiver in waivers if not waiver["reason"] or not any(self.covers(waiver, name) for name in names)]
        if idle:
            told = "; ".join(f"{waiver['file']}: {waiver['mutation']}" for waiver in idle)
            sys.exit(f"mutants: waived without a reason, or no such mutant: {told}")
        return waivers

    def covers(self, waiver: dict[str, str], name: str) -> bool:
        """By its file, what was changed, and, where that is not enough, a piece of the line."""
        file, line, mutation = re.fullmatch(r"(.+?):(\d+):\d+: (.+)", name).groups()
        if (file, mutation) != (waiver["file"], waiver["mutation"]):
            return False
        return waiver.get("line", "") in self.files[file].splitlines()[int(line) - 1]


def attempt(command: list, folder: pathlib.Path, environment: dict[str, str], seconds: float | None) -> tuple[int, bool]:
    """Runs tests up to the first that fails. Whether all is well (0), and whether it was ended because it took too long."""

    def bounds() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))

    quiet = {"RUST_TEST_THREADS": "1", "RUST_BACKTRACE": "0"}
    wall = 0 if seconds is None else WALL_SECONDS_MIN + int(WALL_TIMES_MAX * seconds)
    child = subprocess.Popen(
        ["timeout", "--signal=KILL", str(wall), *command], cwd=folder, env=os.environ | quiet | environment, text=True,
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=bounds, start_new_session=True,
    )
    ran = False
    for line in child.stdout:
        ran |= line.startswith("test ")
        if line.startswith("test ") and line.endswith("FAILED\n"):
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return 1, False
    code = child.wait()
    if code == 0 and not ran:
        sys.exit(f"mutants: {command} ran no test")
    return (1 if code else 0), code in (-signal.SIGKILL, -signal.SIGXCPU, 128 + signal.SIGKILL, 128 + signal.SIGXCPU, 124)


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def some(rooms: list[str]) -> dict[str, str]:
    """A package of these rooms, with the dependencies that they name."""
    wanted = {"src/lib.rs": "#![allow(dead_code)]\n" + "".join(f"pub mod {room};\n" for room in sorted(rooms))}
    for room in rooms:
        wanted |= files(f"src/{room}.rs", f"src/{room}")
    code = "\n".join(wanted.values())
    manifest = (
        '[package]\nname = "sluicegate"\nversion = "0.0.0"\nedition = "2024"\n\n[lib]\ndoctest = false\n\n[workspace]\n\n'
        '[profile.dev]\ndebug = false\n\n[profile.test.package."*"]\nopt-level = 1\n'
    )
    whole = tomllib.loads((ROOT / "Cargo.toml").read_text())
    for table in ("dependencies", "dev-dependencies"):
        manifest += f"\n[{table}]\n"
        for name, what in whole[table].items():
            if re.search(rf"\b{NAMED.get(name, name.replace('-', '_'))}::", code):
                manifest += f"{name} = {toml(what)}\n"
    return wanted | {"Cargo.toml": manifest}


def everything() -> dict[str, str]:
    """The whole, its tests of the engines within."""
    wanted = files("src", "config", "deploy")
    del wanted["src/main.rs"]
    wanted["src/lib.rs"] += "\n#[cfg(test)]\nextern crate self as sluicegate;\n"
    for part in PARTS:
        wanted |= {name.replace("tests/it/", "src/"): text for name, text in files(f"tests/it/{part}.rs", f"tests/it/{part}").items()}
        wanted["src/lib.rs"] += f"#[cfg(test)]\nmod {part};\n"
    # As the code calls it, and as the tests do from where they are now.
    for name, text in files("tests/support").items():
        wanted |= {name: text, name.removeprefix("tests/"): text}
    manifest = (ROOT / "Cargo.toml").read_text()
    manifest = re.sub(r"^\[\[(bin|test|bench)\]\]\n(?:.+\n)+", "", manifest, flags=re.MULTILINE)
    manifest = manifest.replace('[profile.dev]\ndebug = "line-tables-only"', "[profile.dev]\ndebug = false")
    return wanted | {"Cargo.toml": manifest + "\n[workspace]\n"}


def files(*names: str) -> dict[str, str]:
    """The text of these files, and of those in these folders."""
    there = [path for name in names for path in ([ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")))]
    return {str(path.relative_to(ROOT)): text_of(path) for path in there if path.is_file()}


def text_of(path: pathlib.Path) -> str:
    """What is no text, as certificates are, comes through unharmed."""
    return path.read_bytes().decode(errors="surrogateescape")


def dependencies(build: pathlib.Path) -> None:
    """Links to what target/debug has of others; what is ours is built under other names."""
    if build.is_dir() or not (TARGET / "debug/deps").is_dir():
        return

    def ours(_: str, names: list[str]) -> set[str]:
        return {name for name in names if re.match(r"(lib)?sluicegate|it-|hot-|filter-|checkpoint-", name)}

    for part in ("deps", "build", ".fingerprint"):
        shutil.copytree(TARGET / "debug" / part, build / "debug" / part, copy_function=os.link, ignore=ours)


def toml(value: object) -> str:
    """What is in a table of dependencies, written again."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(what)}" for name, what in value.items()) + " }"
    return json.dumps(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
