#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""ci_steps: does what GitHub and GitLab would do with our files, as far as it is shell.

    ci_steps.py github ACTION WORKFLOW   the step of WORKFLOW that uses romsim's action
    ci_steps.py gitlab INCLUDE CONFIG    the job of CONFIG that extends .romsim

Contexts are folders in the environment: WORK (the user's project, where it runs), TEMP, CACHES and
ARTIFACTS, with SOURCE as romsim's checkout.  INSIDE=DIR has a GitLab job's script run in a root
(root.sh), of which WORK is a path.  What is not known here is an error: the files may use no more of
the two languages than is understood.  Ends with 1 if the job would fail.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ENV = os.environ
WORK, TEMP, CACHES, ARTIFACTS = (Path(ENV[name]) for name in ("WORK", "TEMP", "CACHES", "ARTIFACTS"))
ROOT_SH = Path(__file__).resolve().parent.parent / "root.sh"


def load(path):
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


# ---- GitHub -------------------------------------------------------------------------------

def value_of(word, contexts):
    word = word.strip()
    if re.fullmatch(r"'[^']*'", word):
        return word[1:-1]
    here = contexts
    for part in word.split("."):
        if not isinstance(here, dict) or part not in here:
            sys.exit(f"ci_steps: '{word}' is nothing that there is")
        here = here[part]
    return here


def substituted(text, contexts):
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(value_of(found[1], contexts)), str(text))


def is_wanted(step, contexts, failed):
    """always(), A == B and A != B, and those with && between them."""
    condition = str(step.get("if", "")).strip()
    found = re.fullmatch(r"\$\{\{(.*)\}\}", condition)
    terms = [term.strip() for term in (found[1] if found else condition).split("&&")] if condition else []
    if failed and "always()" not in terms:
        return False
    for term in terms:
        if term == "always()":
            continue
        sides = re.fullmatch(r"(.*?)(==|!=)(.*)", term)
        if not sides:
            sys.exit(f"ci_steps: a condition that is not known: {term}")
        same = value_of(sides[1], contexts) == value_of(sides[3], contexts)
        if same != (sides[2] == "=="):
            return False
    return True


def outputs_of(path):
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return dict(pairs)


def run_shell(step, contexts, folders):
    if step.get("shell") != "bash":
        sys.exit("ci_steps: a composite action's step needs 'shell: bash'")
    if "${{" in step["run"]:
        sys.exit("ci_steps: what comes from outside may not become part of a script")
    output = TEMP / "output"
    output.write_text("", encoding="utf-8")
    path = (TEMP / "path").read_text(encoding="utf-8").split() if (TEMP / "path").exists() else []
    env = {**ENV, "GITHUB_OUTPUT": str(output), "GITHUB_PATH": str(TEMP / "path"),
           "GITHUB_STEP_SUMMARY": str(TEMP / "summary"), "GITHUB_ACTION_PATH": ENV["SOURCE"],
           "GITHUB_WORKSPACE": str(WORK), "RUNNER_TEMP": str(TEMP / "runner"), "CI": "true",
           "PATH": ":".join(path[::-1] + [ENV["PATH"]])}
    env.update({name: substituted(value, contexts) for name, value in step.get("env", {}).items()})
    script = TEMP / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    status = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                            env=env, cwd=WORK, check=False).returncode
    contexts["steps"][step.get("id", "")] = {"outputs": outputs_of(output)}
    return status


def run_used(step, contexts, folders):
    given = {name: substituted(value, contexts) for name, value in step.get("with", {}).items()}
    action = step["uses"].split("@")[0]
    if action == "actions/cache":
        kept = CACHES / given["key"]
        if kept.exists():
            shutil.copytree(kept, given["path"], symlinks=True)
        else:
            folders.append((given["path"], kept))
    elif action == "actions/upload-artifact":
        source = WORK / given["path"]
        if source.exists():
            place = ARTIFACTS / given["name"]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)
    else:
        sys.exit(f"ci_steps: {action} is not known here")
    return 0


def github(action, workflow):
    action = load(action)
    used = [step for job in load(workflow)["jobs"].values() for step in job["steps"]
            if re.search(r"(^|/)romsim@", step.get("uses", ""))]
    given = used[0].get("with", {})
    unknown = set(given) - set(action["inputs"])
    if unknown:
        sys.exit(f"ci_steps: the action has no input {unknown}")
    contexts = {"inputs": {name: str(given.get(name, what.get("default", "")))
                           for name, what in action["inputs"].items()},
                "runner": {"temp": str(TEMP / "runner")}, "steps": {}}
    shutil.rmtree(TEMP, ignore_errors=True)
    (TEMP / "runner").mkdir(parents=True)
    failed, to_keep = False, []
    for step in action["runs"]["steps"]:
        if is_wanted(step, contexts, failed):
            print(f"== {step['name']}", flush=True)
            status = (run_shell if "run" in step else run_used)(step, contexts, to_keep)
            failed = failed or status != 0
    for folder, kept in to_keep if not failed else []:
        shutil.copytree(folder, kept, symlinks=True)
    for name, what in action["outputs"].items():
        if "run" in contexts["steps"]:
            print(f"output {name}={substituted(what['value'], contexts)}")
    return failed


# ---- GitLab -------------------------------------------------------------------------------

def expanded(text, variables):
    return re.sub(r"\$\{?(\w+)\}?", lambda found: variables.get(found[1], ""), text)


def gitlab(include, config):
    template = load(include)[".romsim"]
    jobs = [job for job in load(config).values() if isinstance(job, dict) and job.get("extends") == ".romsim"]
    variables = {"CI": "true", "CI_PROJECT_DIR": str(WORK), "CI_SERVER_URL": "file:///srv",
                 "CI_RUNNER_EXECUTABLE_ARCH": "linux/amd64".replace("/", "-")}
    for name, value in {**template["variables"], **jobs[0].get("variables", {})}.items():
        variables[name] = expanded(str(value), variables)
    variables.update({name[4:]: value for name, value in ENV.items() if name.startswith("SET_")})
    lines = template["before_script"] + jobs[0].get("script", template["script"])
    script = "set -eo pipefail\ncd \"$CI_PROJECT_DIR\"\n" + "\n".join(lines)
    argv = ["bash", "-c", script]
    if "INSIDE" in ENV:
        argv = ["bash", "-c", '. "$0"; root_run "$@"', str(ROOT_SH), ENV["INSIDE"], *argv]
    status = subprocess.run(argv, env={**ENV, **variables}, check=False).returncode
    report = template["artifacts"]["reports"]["junit"]
    source = Path(ENV.get("INSIDE", "") + str(WORK)) / expanded(report, variables)
    if template["artifacts"]["when"] == "always" and source.exists():
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, ARTIFACTS)
    return status != 0


if __name__ == "__main__":
    sys.exit({"github": github, "gitlab": gitlab}[sys.argv[1]](sys.argv[2], sys.argv[3]))
