"""Holds each file of deploy/ against the tool that would consume it, or else its published schema, and the files against
each other; then spoils copies of them, each in a way that would matter on a machine, and expects the same checks to refuse
them. Run by tests/run, in its venv and from the top of the repository: deploy.py SLUICEGATE PROMTOOL."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import botocore.loaders
import botocore.model
import botocore.validate
import kubernetes_validate
import yaml

SLUICEGATE = Path(sys.argv[1]).resolve()
PROMTOOL = Path(sys.argv[2]).resolve()
VENV = Path(sys.executable).parent
INSTALLED = "/usr/local/bin/sluicegate"
CONFIGURATION = "/etc/sluicegate"
# glibc gives such pieces back when they are free, and does not raise that bound by itself any more.
GIVEN_BACK = "MALLOC_MMAP_THRESHOLD_=131072"
ADMIN = 9480
KUBERNETES = ["1.33", "1.37"]
# What `systemd-analyze security` may count, of 100: what is left is the network and the files that the service is for.
EXPOSURE_MAX = 15
# What the base image of the Dockerfile has.
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def said(*command, cwd=None, silent=False, given=""):
    """What a tool objects to: its output, if it fails; with `silent`, whatever it says at all."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, input=given, capture_output=True, text=True)
    output = (done.stdout + done.stderr).strip()
    if done.returncode or (silent and output):
        return [f"{Path(command[0]).name}: {output or done.returncode}"]
    return []


# The files, each by its consumer.


def dockerfile(root):
    return said(VENV / "hadolint", "--failure-threshold", "style", root / "deploy/Dockerfile")


def context(root):
    """What .dockerignore lets in is enough for cargo, and the binary needs no library that the image has not."""
    with tempfile.TemporaryDirectory() as folder:
        for line in (root / ".dockerignore").read_text().splitlines():
            if line.startswith("!") and (root / line[1:]).exists():
                (Path(folder) / line[1:]).symlink_to(root / line[1:])
        # Asked for a program that there is not, cargo looks for all that there is, and builds nothing.
        build = ["cargo", "build", "--offline", "--locked", "--bin=sluicegate"]
        answer = "".join(said(*build, "--bin=none", cwd=folder))
        offences = [] if "no bin target named `none`" in answer else [answer]
    dynamic = subprocess.run(["readelf", "--dynamic", SLUICEGATE], check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    assert needed, "the binary is linked to libc at least"
    return offences + [f"the image has no {library}" for library in needed - LIBRARIES]


def compose(root):
    file = root / "deploy/compose.yaml"
    offences = said(VENV / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    if docker_compose():
        offences += said("docker", "compose", "--file", file, "config", "--quiet")
    return offences


def docker_compose():
    return shutil.which("docker") and not said("docker", "compose", "version")


def prometheus(root):
    return said(PROMTOOL, "check", "config", "--lint=all", "--lint-fatal", root / "deploy/prometheus.yml")


def systemd(root):
    """`verify` wants a program to be where the unit says: for ours, the one that was built. It exits with 0 whatever it
    ignores, so what it says is what counts."""
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "sluicegate.service"
        text = (root / "deploy/sluicegate.service").read_text()
        assert INSTALLED in text
        unit.write_text(text.replace(INSTALLED, str(SLUICEGATE)))
        review = ["security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}"]
        return said("systemd-analyze", "verify", "--man=no", unit, silent=True) + said("systemd-analyze", *review, unit)


def kubernetes(root):
    offences = []
    for file in sorted((root / "deploy/kubernetes").glob("*.yaml")):
        for resource in yaml.safe_load_all(file.read_text()):
            for version in KUBERNETES:
                try:
                    kubernetes_validate.validate(resource, version, strict=True)
                except Exception as error:  # of four kinds without a common parent
                    offences.append(f"{file.name}: {resource.get('kind')}: {getattr(error, 'message', error)}")
    return offences


def ecs(root):
    task = json.loads((root / "deploy/ecs-task-definition.json").read_text())
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("ecs", "service-2"))
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    report = botocore.validate.ParamValidator().validate(task, shape)
    return report.generate_report().splitlines() + list(no_such_value(task, shape))


def no_such_value(value, shape):
    """What botocore leaves to the service: values of enumerations."""
    if shape.type_name == "structure":
        for key, member in value.items():
            if key in shape.members:
                yield from no_such_value(member, shape.members[key])
    elif shape.type_name == "list":
        for member in value:
            yield from no_such_value(member, shape.member)
    elif getattr(shape, "enum", []) and value not in shape.enum:
        yield f"{value} is no {shape.name}: {', '.join(shape.enum)}"


# The image cannot be made without an engine; what there is in it can: a root of the program and its libraries alone.
BARE = """
Service: { Listen: "127.0.0.1:PORT", ShutdownGraceInSeconds: 1 }
Checkpoints: { File: /var/lib/sluicegate/sluicegate.db }
Aws: { Region: us-east-1, EndpointUrl: "http://127.0.0.1:1" }
EventSourceMappings:
  - EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: count-clicks
    StartingPosition: LATEST
"""
# $1 is the root, $2 the folder in it that can be written to, or none.
ENTER = """mount --bind "$1" "$1" && mount --options remount,bind,ro "$1" || exit 99
if [ "$2" ]; then mount --types tmpfs none "$1/$2" || exit 99; fi
root=$1; shift 2; exec chroot "$root" "$@" """


def may_enter():
    return shutil.which("unshare") and not said("unshare", "--user", "--map-root-user", "--mount", "true")


def bare():
    """With no shell, no /tmp, no /proc, and a root that is read-only but for the folder of the image's volume, the service
    starts, passes its health check, exports what Prometheus reads, and drains; without the volume it says what it can not
    write."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        linked = subprocess.run(["ldd", SLUICEGATE], check=True, capture_output=True, text=True).stdout
        libraries = re.findall(r"(/\S+) \(0x", linked)
        assert libraries, "the binary is linked to libc at least"
        for source, path in [(SLUICEGATE, INSTALLED)] + [(library, library) for library in libraries]:
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / path[1:])
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (root / CONFIGURATION[1:]).mkdir(parents=True)
        (root / CONFIGURATION[1:] / "bare.yaml").write_text(BARE.replace("PORT", str(port)))
        (root / "var/lib/sluicegate").mkdir(parents=True)
        offences = []
        service = enter(root, "var/lib/sluicegate", "run", "--watch", "--config", CONFIGURATION)
        try:
            for _ in range(100):
                probe = enter(root, "", "probe", "--listen", f"127.0.0.1:{port}")
                why = probe.communicate()[1]
                if probe.returncode == 0 or service.poll() is not None:
                    break
                time.sleep(0.1)
            if probe.returncode:
                offences.append(f"the health check: {why}")
            else:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
                    offences += said(PROMTOOL, "check", "metrics", given=page.read().decode())
            service.send_signal(signal.SIGTERM)
            log = service.communicate(timeout=20)[1]
        finally:
            service.kill()
        offences += [f"it ended with {service.returncode}: {log}"] if service.returncode else []
        refused = enter(root, "", "run", "--config", CONFIGURATION)
        log = refused.communicate(timeout=20)[1]
        if refused.returncode != 1 or "sluicegate.db" not in log:
            offences.append(f"without a volume it ended with {refused.returncode}: {log}")
        return offences


def enter(root, writable, *arguments):
    start = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh", root, writable]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PATH": os.environ["PATH"]}
    command = [*map(str, start), INSTALLED, *arguments]
    return subprocess.Popen(command, env=keys, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# The files, against each other.


@dataclass
class Place:
    """Where a service runs: what it is configured with, and what its surroundings grant it."""

    name: str
    configuration: dict
    stop_s: int
    writable: list
    offences: list


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def composed(root):
    service = yaml.safe_load((root / "deploy/compose.yaml").read_text())["services"]["sluicegate"]
    mounts = [volume.split(":") for volume in service["volumes"]]
    (source,) = [mount[0] for mount in mounts if mount[1] == CONFIGURATION]
    offences = [] if service.get("read_only") else ["compose.yaml: the root can be written to"]
    (file,) = (root / "deploy" / source).glob("*.yaml")
    writable = [mount[1] for mount in mounts if mount[2:] != ["ro"]]
    return Place("compose.yaml", {"compose.yaml": file.read_text()}, seconds(service["stop_grace_period"]), writable, offences)


def pod(root, name):
    resources = list(yaml.safe_load_all((root / "deploy/kubernetes" / name).read_text()))
    by_kind = {resource["kind"]: resource for resource in resources}
    deployment = by_kind["Deployment"]["spec"]
    spec = deployment["template"]["spec"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert volumes[mounts[CONFIGURATION]["name"]]["configMap"]["name"] == by_kind["ConfigMap"]["metadata"]["name"]
    (port,) = container["ports"]
    offences = []
    for probe, path in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
        if container[probe]["httpGet"] != {"path": path, "port": port["name"]} or port["containerPort"] != ADMIN:
            offences.append(f"{name}: the {probe} does not ask {path} on {ADMIN}")
    if not container["securityContext"].get("readOnlyRootFilesystem"):
        offences.append(f"{name}: the root can be written to")
    if not (spec["securityContext"].get("runAsNonRoot") and spec["securityContext"].get("runAsUser")):
        offences.append(f"{name}: it may run as root")
    claimed = any("persistentVolumeClaim" in volume for volume in volumes.values())
    if claimed and (deployment["replicas"], deployment.get("strategy")) != (1, {"type": "Recreate"}):
        offences.append(f"{name}: two processes may meet at one checkpoint file")
    writable = [path for path, mount in mounts.items() if not mount.get("readOnly")]
    return Place(name, by_kind["ConfigMap"]["data"], spec["terminationGracePeriodSeconds"], writable, offences)


def task(root):
    definition = json.loads((root / "deploy/ecs-task-definition.json").read_text())
    (container,) = [one for one in definition["containerDefinitions"] if one["name"] == "sluicegate"]
    offences = []
    if container.get("healthCheck", {}).get("command") != ["CMD", INSTALLED, "probe"]:
        offences.append("ecs: the health check needs a shell, or there is none")
    if not container.get("readonlyRootFilesystem"):
        offences.append("ecs: the root can be written to")
    if container.get("user", "0").split(":")[0] in ("0", "root"):
        offences.append("ecs: it may run as root")
    return Place("ecs", {"ecs.yaml": (root / "deploy/ecs.yaml").read_text()}, container["stopTimeout"], [], offences)


def unit(root):
    lines = (root / "deploy/sluicegate.service").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    writable = [f"/var/lib/{settings['StateDirectory']}"]
    text = (root / "deploy/sluicegate.yaml").read_text()
    offences = [] if f"Environment={GIVEN_BACK}" in lines else ["sluicegate.service: what large messages took stays with the allocator"]
    return Place("sluicegate.service", {"sluicegate.yaml": text}, seconds(settings["TimeoutStopSec"]), writable, offences)


def configurations(root):
    """What is mounted is valid, and what it asks of its surroundings is there."""
    offences = []
    for place in [composed(root), pod(root, "service.yaml"), pod(root, "sidecar.yaml"), task(root), unit(root)]:
        offences += place.offences
        ((name, text),) = place.configuration.items()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(text)
            refused = said(SLUICEGATE, "validate", "--config", file)
        if refused:
            offences += refused
            continue
        offences += unmet(place, yaml.safe_load(text))
    return offences


def unmet(place, configuration):
    service, checkpoints = configuration["Service"], configuration["Checkpoints"]
    if place.stop_s <= service["ShutdownGraceInSeconds"]:
        yield f"{place.name}: killed after {place.stop_s} s, in the middle of a drain"
    host = "127.0.0.1" if place.name == "sluicegate.service" else "0.0.0.0"
    if service["Listen"] != f"{host}:{ADMIN}":
        yield f"{place.name}: listens on {service['Listen']}, where its probe does not ask"
    if "File" in checkpoints:
        if not any(Path(checkpoints["File"]).is_relative_to(path) for path in place.writable):
            yield f"{place.name}: {checkpoints['File']} can not be written"
    elif any("StartingPosition" in mapping for mapping in configuration["EventSourceMappings"]):
        yield f"{place.name}: a stream forgets its position"


def image(root):
    """The version is the one of Cargo.toml everywhere, and the image runs what the others expect, without rights."""
    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.MULTILINE)[1]
    offences, found = [], 0
    for file in sorted((root / "deploy").rglob("*")):
        tags = re.findall(r"\bsluicegate(?:-orders)?:(\d+\.[\w.]*)|ARG VERSION=(\S+)", file.read_text() if file.is_file() else "")
        found += len(tags)
        offences += [f"{file.name}: version {tag}, Cargo.toml has {version}" for tag in map("".join, tags) if tag != version]
    assert found, "the files name the image"
    steps = (root / "deploy/Dockerfile").read_text().splitlines()
    last = steps[max(i for i, step in enumerate(steps) if step.startswith("FROM ")) :]
    for step in [
        "USER 65532:65532",
        "VOLUME /var/lib/sluicegate",
        f"ENV {GIVEN_BACK}",
        f'ENTRYPOINT ["{INSTALLED}"]',
        f'CMD ["run", "--watch", "--config", "{CONFIGURATION}"]',
    ]:
        if step not in last:
            offences.append(f"Dockerfile: the image lacks {step}")
    if not any(step.startswith("HEALTHCHECK ") and step.endswith(f'CMD ["{INSTALLED}", "probe"]') for step in last):
        offences.append("Dockerfile: the health check needs a shell, or there is none")
    return offences


CHECKS = {
    "Dockerfile: hadolint": dockerfile,
    ".dockerignore: cargo, and readelf of the binary": context,
    "compose.yaml: the published schema (check-jsonschema)": compose,
    "prometheus.yml: promtool": prometheus,
    "sluicegate.service: systemd-analyze verify and security": systemd,
    f"kubernetes/: the published schemas of {', '.join(KUBERNETES)} (kubernetes-validate)": kubernetes,
    "ecs-task-definition.json: the service's model (botocore)": ecs,
    "configurations: sluicegate validate, and their surroundings": configurations,
    "the image: version, user, health check": image,
}

# One line each: the check, the file, what is replaced and by what.
SPOILED = [
    (dockerfile, "deploy/Dockerfile", "cc-debian12:nonroot", "cc-debian12"),
    (dockerfile, "deploy/Dockerfile", "WORKDIR /src", "WORKDIR src"),
    (dockerfile, "deploy/Dockerfile", "HEALTHCHECK", "HEALTHCHEK"),
    (context, ".dockerignore", "!benches\n", ""),
    (context, ".dockerignore", "!src\n", ""),
    (compose, "deploy/compose.yaml", "read_only:", "readonly:"),
    (compose, "deploy/compose.yaml", "{ disable: true }", "{ disabled: true }"),
    (prometheus, "deploy/prometheus.yml", "scrape_interval: 15s", "scrape_interval: often"),
    (prometheus, "deploy/prometheus.yml", "targets:", "target:"),
    (systemd, "deploy/sluicegate.service", "ProtectClock=", "ProtectClocks="),
    (systemd, "deploy/sluicegate.service", "@system-service", "@system-servces"),
    (systemd, "deploy/sluicegate.service", "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n", ""),
    (systemd, "deploy/sluicegate.service", "ExecStart=/usr/local/bin/sluicegate", "ExecStart=/usr/local/bin/sluicegates"),
    (kubernetes, "deploy/kubernetes/service.yaml", "readOnlyRootFilesystem", "readonlyRootFilesystem"),
    (kubernetes, "deploy/kubernetes/service.yaml", "replicas: 1", 'replicas: "1"'),
    (kubernetes, "deploy/kubernetes/service.yaml", "[ReadWriteOnce]", "ReadWriteOnce"),
    (kubernetes, "deploy/kubernetes/sidecar.yaml", "initContainers:", "initContainer:"),
    (ecs, "deploy/ecs-task-definition.json", '"stopTimeout": 75', '"stopTimeout": "75"'),
    (ecs, "deploy/ecs-task-definition.json", "readonlyRootFilesystem", "readOnlyRootFilesystem"),
    (ecs, "deploy/ecs-task-definition.json", '"START"', '"STARTED"'),
    (configurations, "deploy/ecs.yaml", "FunctionResponseTypes", "FunctionResponseType"),
    (configurations, "deploy/kubernetes/sidecar.yaml", "MaximumConcurrency: 1", "MaximumConcurrency: 0"),
    (configurations, "deploy/kubernetes/service.yaml", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30"),
    (configurations, "deploy/kubernetes/service.yaml", "type: Recreate", "type: RollingUpdate"),
    (configurations, "deploy/kubernetes/service.yaml", "path: /readyz", "path: /ready"),
    (configurations, "deploy/kubernetes/service.yaml", "mountPath: /var/lib/sluicegate", "mountPath: /data"),
    (configurations, "deploy/sluicegate.service", "StateDirectory=sluicegate", "StateDirectory=state"),
    (configurations, "deploy/sluicegate.service", "TimeoutStopSec=45s", "TimeoutStopSec=15s"),
    (configurations, "deploy/sluicegate.service", "Environment=MALLOC_", "Environment=OTHER_"),
    (configurations, "deploy/compose.yaml", "checkpoints:/var/lib/sluicegate", "checkpoints:/var/lib/sluicegate:ro"),
    (configurations, "deploy/compose/sluicegate.yaml", "0.0.0.0:9480", "127.0.0.1:9480"),
    (configurations, "deploy/ecs-task-definition.json", '"CMD",', '"CMD-SHELL",'),
    (image, "deploy/compose.yaml", "image: sluicegate:", "image: sluicegate:9."),
    (image, "deploy/Dockerfile", "USER 65532:65532\n", ""),
    (image, "deploy/Dockerfile", "ENV MALLOC_", "ENV OTHER_"),
    (image, "deploy/Dockerfile", 'CMD ["/usr/local/bin/sluicegate", "probe"]', "CMD sluicegate probe"),
]


def spoil(root, path, old, new):
    """Another tree with this one file changed."""
    for name in os.listdir("."):
        if name not in ("deploy", ".dockerignore", "target", ".git"):
            (root / name).symlink_to(Path(name).resolve())
    shutil.copytree("deploy", root / "deploy")
    shutil.copy(".dockerignore", root)
    file = root / path
    text = file.read_text()
    assert old in text, f"{path} has no {old!r} to be spoiled"
    file.write_text(text.replace(old, new, 1))


def main():
    good = True
    for name, check in CHECKS.items():
        good &= told(name, check(Path.cwd()))
    if may_enter():
        good &= told("a root of the program and its libraries alone: run, probe, promtool", bare())
    else:
        print("NOT CHECKED: the service in a root of its own (user namespaces are not allowed here)")
    for check, path, old, new in SPOILED:
        with tempfile.TemporaryDirectory() as folder:
            spoil(Path(folder), path, old, new)
            if not check(Path(folder)):
                good = told(f"{path} with {new!r} in place of {old!r}", [f"{check.__name__} does not refuse it"])
    assert {check for check, *_ in SPOILED} == set(CHECKS.values()), "each check is seen to fail"
    if not docker_compose():
        print("NOT CHECKED: compose.yaml by docker compose itself (it is not here)")
    print("NOT CHECKED: an image made by the Dockerfile (that takes an engine and what it begins with)")
    if not good:
        sys.exit("deploy/ is not good")
    print(f"deploy/ is good, and {len(SPOILED)} spoiled copies are refused")


def told(name, offences):
    print(f"{name}:", *(offences or ["good"]), sep="\n    " if offences else " ", flush=True)
    return not offences


main()
