"""The machine and the versions behind a set of figures."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

PACKAGES = ["g++", "libc6", "libbenchmark1debian", "libjemalloc2",
            "libmimalloc2.0", "libtcmalloc-minimal4", "libboost-dev",
            "libiceoryx-posh2", "libqb100", "libzmq5", "libnng1",
            "libdpdk-dev", "corosync"]
NODE = pathlib.Path("/sys/devices/system")
HUGE = pathlib.Path("/sys/kernel/mm")


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


def cpu_fact(name, text=None):
    """A line of /proc/cpuinfo, of the first processor; '' if it has none."""
    text = text or pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def counter_text(flags, source):
    """What the programs time with: bench/clock.cc decides by the same bit."""
    if "nonstop_tsc" in flags.split():
        return f"invariant TSC, calibrated (kernel: {source})"
    return f"monotonic clock (kernel: {source})"


def chosen(line):
    """The bracketed word of "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", line)
    return found.group(1) if found else line


def installed(packages):
    """{package: version} of those that are there."""
    versions = {name: output_of("dpkg-query", "-W", "-f=${Version}", name)
                for name in packages}
    return {name: version for name, version in versions.items()
            if version not in ("", "unknown")}


def memory_gib():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return round(pages / (1 << 30), 1)


def describe(root):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": output_of("git", "describe", "--always", "--dirty",
                              cwd=root),
        "kernel": platform.release(),
        "cpu": cpu_fact("model name") or platform.machine(),
        "cpus": os.cpu_count(),
        "cpus_online": first_line(NODE / "cpu/online"),
        "smt": first_line(NODE / "cpu/smt/active"),
        "memory_gib": memory_gib(),
        "hypervisor": output_of("systemd-detect-virt"),
        "governor": first_line(NODE / "cpu/cpu0/cpufreq/scaling_governor"),
        "clock": counter_text(cpu_fact("flags"), first_line(
            NODE / "clocksource/clocksource0/current_clocksource")),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "transparent_hugepage":
            chosen(first_line(HUGE / "transparent_hugepage/enabled")),
        "transparent_hugepage_shmem":
            chosen(first_line(HUGE / "transparent_hugepage/shmem_enabled")),
        "hugetlb_2mib_pages":
            first_line(HUGE / "hugepages/hugepages-2048kB/nr_hugepages"),
        "compiler": output_of("g++", "--version").split("\n", 1)[0],
        "packages": installed(PACKAGES),
        "load_at_start": os.getloadavg(),
    }


def show(facts):
    print(f"{facts['cpu']}, {facts['cpus']} CPUs, Linux {facts['kernel']}, "
          f"load {facts['load_at_start'][0]:.1f}")
    print(f"revision {facts['revision']}, {facts['compiler']}, "
          f"{facts['clock']}; pages on shared memory: "
          f"{facts['transparent_hugepage_shmem']}")
