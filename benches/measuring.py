"""What the benchmarks that start whole processes have in common: the programs, the load's side, and what a process has used."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
# No one is asked who they are; the region is that of the load's side. No profile of whoever measures has a say.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": "anything", "AWS_REGION": "us-east-1", "RUST_LOG": "error",
}
TICKS = os.sysconf("SC_CLK_TCK")


def built(*names):
    """Programs of one build: the same crates with the same settings, those of a release."""
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", "bare", "--message-format=json-render-diagnostics"]
    made = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    programs = {}
    for line in made.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            programs[message["target"]["name"]] = message["executable"]
    return [programs[name] for name in names]


def shipped(profile):
    """The program alone, as it is built with this profile: `dist` is what is shipped."""
    subprocess.run(["cargo", "build", "--locked", "--profile", profile], cwd=ROOT, check=True)
    target = subprocess.run(["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(json.loads(target.stdout)["target_directory"]) / profile / "sluicegate"


def cpu_s(pid):
    """User and system time of a process and of its children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def resident_bytes(pid):
    """Memory that it has now."""
    kib = re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kib.group(1)) * 1024


def files(pid):
    """Open files and sockets."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Load:
    """Canned answers and a function, in a process of their own."""

    def __init__(self, program, *arguments):
        command = [program, "bench-load", "--against=canned", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = json.loads(self.process.stdout.readline())
        self.endpoint, self.arn = f"http://{said['aws']}", said["source_arn"]
        host, port = said["figures"].rsplit(":", 1)
        self.asking = socket.create_connection((host, int(port)))
        self.answers = self.asking.makefile()

    def look(self):
        """Its figures since the last look."""
        self.asking.sendall(b"look\n")
        return json.loads(self.answers.readline())

    def end(self):
        self.asking.close()
        self.process.kill()
        self.process.wait()


class Gate:
    """`sluicegate run` with a configuration, from its start on."""

    PATIENCE_S = 600

    def __init__(self, program, folder, text):
        file = folder / "bench.yaml"
        file.write_text(f"Service: {{ Listen: '127.0.0.1:0' }}\nCheckpoints: {{ File: '{folder}/bench.db' }}\n{text}")
        self.said = open(folder / "said.txt", "w+")
        self.began = time.monotonic()
        environment = os.environ | ENVIRONMENT | {"RUST_LOG": "sluicegate=info,error"}
        self.process = subprocess.Popen([program, "run", "--config", file], stdout=self.said, stderr=self.said, env=environment)
        self.pid, self.address = self.process.pid, None

    def page(self, path):
        """Its text, or none while there is none."""
        if self.address is None:
            found = re.search(r'"listen":"([^"]+)"|listen=(\S+)', pathlib.Path(self.said.name).read_text())
            self.address = found and (found.group(1) or found.group(2))
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended: {pathlib.Path(self.said.name).read_text()[-600:]}")
        if self.address is None:
            return None
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=60) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def ready(self):
        """Seconds from its start until all of its mappings were started."""
        while True:
            asked = time.monotonic()
            if self.page("/readyz") is not None:
                return time.monotonic() - self.began
            if self.PATIENCE_S < asked - self.began:
                raise RuntimeError("it is not ready")
            # The page names every mapping: who asks all the time measures that.
            time.sleep(max(0.001, 20 * (time.monotonic() - asked)))

    def sum(self, family):
        """Of all samples of a metric."""
        lines = (self.page("/metrics") or "").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((family + "{", family + " ")))

    def drained(self):
        """Seconds from SIGTERM to its end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(self.PATIENCE_S)
        return time.monotonic() - began

    def end(self):
        self.process.kill()
        self.process.wait()
        self.said.close()


@contextlib.contextmanager
def ending(*several):
    """They end with the block, whatever happens in it."""
    try:
        yield several[0] if len(several) == 1 else several
    finally:
        for one in several:
            one.end()
