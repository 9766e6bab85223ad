"""Builds the programs of the benchmarks."""

import os
import pathlib
import subprocess


def bazel(*arguments):
    startup = []
    if os.environ.get("ZCB_OUTPUT_BASE"):
        startup = ["--output_base=" + os.environ["ZCB_OUTPUT_BASE"]]
    return ["bazel", *startup, *arguments]


def build(root, targets):
    """True if all of them could be built, optimized."""
    done = subprocess.run(
        bazel("build", "--config=opt", "--noshow_progress", "--show_result=0",
              "--ui_event_filters=-info", *targets), cwd=root)
    return done.returncode == 0


def directory(root):
    """Where Bazel puts the programs of //bench."""
    info = subprocess.run(bazel("info", "--config=opt", "bazel-bin"), cwd=root,
                          check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(info.stdout.strip()) / "bench"


def missing_packages(packages):
    """Those that dpkg says are not there; none where there is no dpkg."""
    missing = []
    for package in packages:
        try:
            done = subprocess.run(
                ["dpkg-query", "-W", "-f=${db:Status-Status}", package],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except FileNotFoundError:
            return []
        if done.stdout != "installed":
            missing.append(package)
    return missing


def build_peer(root, name, packages, targets, selection):
    """Whether the peer can be measured here; if not, `selection` knows why."""
    missing = missing_packages(packages)
    if missing:
        selection.skip(name, f"not installed: {', '.join(missing)}")
    elif build(root, targets):
        return True
    else:
        selection.skip(name, "does not build, see above")
    return False


def build_peers(root, peers, selection):
    """The names of the peers that can be measured here, of {name: Peer}. Each is
    built by itself, and a program that an earlier build left does not count."""
    return [name for name, peer in selection.pick(peers).items()
            if build_peer(root, name, peer.packages,
                          [f"//bench/allocator:{name}"], selection)]


def build_or_exit(root, targets):
    if not build(root, targets):
        raise SystemExit("bench: cannot build")
