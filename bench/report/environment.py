"""The machine and the versions behind a set of figures."""

import datetime
import os
import pathlib
import platform
import subprocess

PACKAGES = ["g++", "libc6", "libbenchmark1debian", "libjemalloc2",
            "libmimalloc2.0", "libtcmalloc-minimal4", "libboost-dev",
            "libiceoryx-posh2"]


def first_line(path):
    try:
        return pathlib.Path(path).read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return "unknown"


def output_of(*command, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, check=True, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe(root):
    huge = "/sys/kernel/mm/transparent_hugepage/"
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": output_of("git", "describe", "--always", "--dirty",
                              cwd=root),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "hypervisor": output_of("systemd-detect-virt"),
        "governor": first_line(
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "transparent_hugepage": first_line(huge + "enabled"),
        "transparent_hugepage_shmem": first_line(huge + "shmem_enabled"),
        "packages": {
            name: output_of("dpkg-query", "-W", "-f=${Version}", name)
            for name in PACKAGES
        },
        "load_at_start": os.getloadavg(),
    }


def show(facts):
    print(f"{facts['cpu']}, {facts['cpus']} CPUs, Linux {facts['kernel']}, "
          f"load {facts['load_at_start'][0]:.1f}")
    print("revision", facts["revision"] + ",",
          ", ".join(f"{k} {v}" for k, v in facts["packages"].items()))
