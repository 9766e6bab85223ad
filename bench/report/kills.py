"""A busy process is killed at a random instant: who is blocked for ever?"""

import json
import subprocess

from report import tables

TARGET = "//bench/peers/kill:kills"
PROGRAM = "peers/kill/kills"


def leak_text(tally):
    if not tally["kills_counted"]:
        return "not counted"
    return f"{tally['leaked_buffers']} in {tally['kills_counted']} kills"


def verdict(name, tally):
    if not name.startswith("zcb"):
        return "-"
    met = tally["blocked"] == 0 and tally["leaked_buffers"] == 0
    return "met" if met else "NOT MET"


def results(tallies):
    """As all suites return them: one repetition, of all kills together."""
    rows, targets = [], []
    for name, tally in tallies.items():
        one = {"kept": True, "blocked_share": tally["blocked"] / tally["kills"]}
        if tally["kills_counted"]:
            one["leaked_per_kill"] = (tally["leaked_buffers"]
                                      / tally["kills_counted"])
        rows.append({"question": "kills", "peer": name,
                     "parameters": {"killed": tally["killed"]},
                     "figures": {figure: "lower" for figure in one
                                 if figure != "kept"},
                     "repetitions": [one]})
        if name.startswith("zcb"):
            bad = tally["blocked"] + tally["leaked_buffers"]
            targets.append({"what": f"{name}, {tally['killed']} killed: "
                            "survivors blocked, buffers leaked",
                            "limit": "none", "measured": bad,
                            "text": f"{tally['blocked']} blocked, "
                                    f"{leak_text(tally)} leaked",
                            "met": verdict(name, tally) == "met"})
    return {"rows": rows, "targets": targets}


def run(programs, options):
    number = 2 if options.quick else options.rounds or 60
    patience_s = 2 if options.quick else 5
    done = subprocess.run(
        [programs / PROGRAM, f"--kills={number}", f"--patience-s={patience_s}",
         "--json"], check=True, text=True, stdout=subprocess.PIPE)
    tallies = json.loads(done.stdout)
    print(f"\n  blocked: the survivor had not gone on {patience_s} s after the "
          "kill\n")
    tables.show(["peer", "killed", "kills", "blocked", "buffers leaked",
                 "none blocked, none leaked"],
                [[name, tally["killed"], str(tally["kills"]),
                  str(tally["blocked"]), leak_text(tally),
                  verdict(name, tally)] for name, tally in tallies.items()])
    return results(tallies)
