# SPDX-License-Identifier: BSD-3-Clause
"""What `romsim serve` answers, against its own OpenAPI document: openapi_answers.py URL TOKEN.

Each answer of a life of two instances is compared with the schema of its operation and status, and
each body with that of the request: what the document allows is taken, what it forbids is refused.
At the end each member of each item's schema was seen in some answer, but for those of ALLOWED.
Prints "ok TEXT" or "not ok TEXT".
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

URL, TOKEN = sys.argv[1:]
PATIENCE = 120
BASE = "org/base:latest"
LOOP = 'trap "exit 3" TERM; echo hello; while :; do sleep 0.1; done\n'

http = httpx.Client(trust_env=False, base_url=URL, timeout=PATIENCE + 60)
document = http.get("/openapi.json").json()
http.headers["Authorization"] = "Bearer " + TOKEN
registry = Registry().with_resource(
    "urn:openapi", Resource.from_contents(document, default_specification=
                                          __import__("referencing.jsonschema").jsonschema.DRAFT202012))
seen = set()  # (component or operation, member) of what was answered


def check(condition, text, detail=""):
    print(f"{'ok' if condition else 'not ok'} {text}", flush=True)
    if not condition:
        print(f"# {detail}"[:3000], flush=True)


def validator(schema):
    # References are relative to the document.
    text = json.dumps(schema).replace('"#/', '"urn:openapi#/')
    return Draft202012Validator(json.loads(text), registry=registry)


def resolve(schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def operation(method, path):
    """The documented operation of a path, as the server finds it: words before captures."""
    path = path.split("?")[0]
    fitting = [p for p in document["paths"] if method in document["paths"][p] and
               re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(p)), path)]
    if not fitting:
        raise LookupError(f"the document has no {method} {path}")
    return document["paths"][min(fitting, key=lambda p: p.count("{"))][method]


def note(schema, value, where):
    """Which members of a schema an answer had."""
    schema = resolve(schema)
    for part in schema.get("allOf", []):
        note(part, value, where)
    for part in schema.get("anyOf", []):
        if validator(part).is_valid(value):
            note(part, value, where)
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                seen.add((where, name))
                note(inner, value[name], f"{where}.{name}")
        if isinstance(schema.get("additionalProperties"), dict):
            for inner in value.values():
                note(schema["additionalProperties"], inner, where + ".*")
    elif isinstance(value, list) and "items" in schema:
        for inner in value:
            note(schema["items"], inner, where)


misfits = []


def ask(method, path, body=None, want=None):
    """Asks; what the answer has that the document does not say goes to `misfits`."""
    told = operation(method, path)
    answer = http.request(method.upper(), path, json=body) if body is not None else \
        http.request(method.upper(), path)
    responses = told["responses"]
    response = responses.get(str(answer.status_code), responses["default"])
    schema = response["content"]["application/json"]["schema"]
    value = answer.json()
    for error in validator(schema).iter_errors(value):
        deepest = min([error, *(error.context or [])], key=lambda e: -len(e.absolute_path))
        misfits.append(f"{method} {path}: {error.message[:600]} ({deepest.message[:300]})")
    if want is not None and answer.status_code != want:
        misfits.append(f"{method} {path}: HTTP {answer.status_code}, not {want}: {answer.text[:300]}")
    note(schema, value, told["operationId"])
    return value


def instance(name):
    return ask("get", "/v1/instances", [{"name": name}])["data"]["instances"][0]


def until(name, condition, what):
    for _ in range(PATIENCE * 5):
        item = instance(name)
        if condition(item):
            return item
        time.sleep(0.2)
    check(False, what, item)
    return item


def lives():
    web = {"name": "web", "image": BASE, "memory_mb": 128, "env": {"A": "1"}, "args": ["/bin/sh", "/rom/app.sh"],
           "tags": ["a"], "hostname": "web",
           "service_group": {"services": [{"port": 443, "destination_port": 8080,
                                           "handlers": ["tls", "http"]}]},
           "volumes": [{"name": "disk", "at": "/disk"}],
           "roms": [{"name": "app", "at": "/rom", "files": [{"path": "app.sh", "data": LOOP}]}],
           "autostart": True, "timeout_s": PATIENCE}
    ask("post", "/v1/volumes", {"name": "disk", "size_mb": 8}, 200)
    ask("get", "/v1/volumes", want=200)
    uuid = ask("post", "/v1/instances", web, 200)["data"]["instances"][0]["uuid"]
    ask("post", "/v1/instances", [{"name": "code", "image": {"url": BASE}, "memory_mb": 128,
                                   "annotations": {"x": "y"},
                                   "roms": [{"name": "app", "image": "org/rom1:latest", "at": "/rom"}]}],
        200)
    ask("post", "/v1/instances", web, 409)  # again
    # All that is taken and not simulated.
    ask("post", "/v1/instances", {
        "name": "idle", "image": BASE, "memory_mb": 128, "autokill": {"time_ms": 1000},
        "schedules": [], "dependencies": [], "gateway": "10.0.0.1", "nameserver": "10.0.0.1",
        "type": "micro", "gpus": 0, "vsock": True, "sched_priority": 1, "plugins": [],
        "features": ["delete-on-stop"], "scale_to_zero": {"policy": "on"}}, 200)
    ask("patch", "/v1/instances", [{"name": "idle", "prop": "delete_lock", "op": "set",
                                    "value": True}], 200)
    ask("get", "/v1/instances", want=200)
    ask("patch", "/v1/instances", [{"name": "idle", "prop": "delete_lock", "op": "set",
                                    "value": False}], 200)
    ask("get", "/v1/instances", want=200)
    ask("get", f"/v1/instances/{uuid}", want=200)
    ask("get", "/v1/volumes", want=200)
    ask("get", "/v1/services", want=200)
    ask("get", "/v1/instances?details=false", want=200)
    ask("get", "/v1/instances", [{"name": "web"}, {"name": "nosuch"}], 200)
    ask("get", "/v1/instances/wait", [{"name": "web", "state": "stopped", "timeout_s": 1}], 200)
    for kind in "log", "metrics":
        ask("get", f"/v1/instances/{kind}", [{"name": "web"}], 200)
        ask("get", f"/v1/instances/{uuid}/{kind}", want=200)
    ask("patch", "/v1/instances", [{"name": "web", "id": "1", "prop": "roms", "op": "add", "value": [
        {"name": "more", "image": "org/rom2:latest"}]}], 200)
    instance("web")  # with the update that waits
    ask("patch", "/v1/instances", [{"name": "web", "prop": "nosuch", "op": "set", "value": 1}])
    checkpoint = ask("post", "/v1/instances/checkpoints",
                     {"from": {"name": "code"}, "timeout_s": PATIENCE, "tags": ["a"],
                      "autokill": {"time_ms": 1000}}, 200)["data"]["instances"][0]["uuid"]
    ask("patch", f"/v1/instances/checkpoints/{checkpoint}",
        {"prop": "delete_lock", "op": "set", "value": False}, 200)
    instance("code")  # with its history
    for path in ("history", "checkpoints", f"checkpoints/{checkpoint}", "checkpoints/history",
                 f"checkpoints/{checkpoint}/history"):
        ask("get", f"/v1/instances/{path}", want=200)
    ask("delete", f"/v1/instances/checkpoints/{checkpoint}", want=200)
    ask("put", "/v1/instances/suspend", [{"name": "web"}], 200)
    ask("put", "/v1/instances/stop", [{"name": "web"}], 200)
    until("web", lambda i: i["state"] == "stopped", "web stops")
    ask("put", "/v1/instances/start", [{"name": "web"}, {"name": "code"}], 200)
    ask("get", f"/v1/instances/{uuid}/wait?timeout_s={PATIENCE}", want=200)
    ask("put", f"/v1/instances/{uuid}/stop", {"force": True}, 200)
    until("web", lambda i: i["state"] == "stopped", "web stops by force")
    ask("delete", "/v1/instances", [{"name": "web", "timeout_s": PATIENCE},
                                    {"name": "code", "timeout_s": PATIENCE}, {"name": "idle"}], 200)
    ask("delete", f"/v1/instances/{uuid}", want=200)


def certificate():
    """A chain of one, and its key."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=romsim.test", "-keyout", "key", "-out", "chain"], cwd=folder,
                       check=True, capture_output=True)
        return [pathlib.Path(folder, name).read_text() for name in ("chain", "key")]


def others():
    chain, key = certificate()
    ask("post", "/v1/certificates", {"name": "cert", "cn": "romsim.test", "chain": chain,
                                     "pkey": key}, 200)
    ask("post", "/v1/services", {"name": "front", "services": [
        {"port": 443, "destination_port": 8080, "handlers": ["tls", "http"], "protocol": "tcp"}],
        "domains": [{"name": "romsim.test.", "certificate": {"name": "cert"}}], "autokill": {"time_ms": 1000}}, 200)
    ask("get", "/v1/services", want=200)
    ask("get", "/v1/certificates", want=200)
    ask("delete", "/v1/services", [{"name": "front"}], 200)
    ask("delete", "/v1/certificates", [{"name": "cert"}], 200)
    ask("delete", "/v1/volumes", [{"name": "disk"}], 200)
    # All that can be asked without a body, with nothing there that it could be about.
    for path, operations in document["paths"].items():
        for method in operations:
            if path != "/openapi.json":
                ask(method, re.sub(r"\{[^}]*\}", "00000000-0000-4000-8000-000000000000", path))
    http.headers["Authorization"] = "Bearer another"
    ask("get", "/v1/instances", want=401)
    http.headers["Authorization"] = "Bearer " + TOKEN


BODIES = [  # of POST /v1/instances: does the document take it as the server does?
    {}, [], {"image": 1}, {"image": BASE, "memory_mb": "128"}, {"image": BASE, "memory_mb": -1},
    {"image": BASE, "nosuch": 1}, {"image": BASE, "args": "x"}, {"image": BASE, "args": [1]},
    {"image": BASE, "env": []}, {"image": BASE, "env": {"A": 1}}, {"image": BASE, "roms": {}},
    {"image": BASE, "roms": [{"files": [{"path": "x"}]}]}, {"image": BASE, "roms": [1]},
    {"image": BASE, "autostart": "true"}, {"image": BASE, "restart_policy": "sometimes"},
    {"image": BASE, "features": ["x"]}, {"image": {"url": BASE, "x": 1}}, {"image": {}},
    {"image": BASE, "timeout_s": -2}, {"image": BASE, "name": "a\0b"}, [[]], [1], "x", 1, True,
    {"image": BASE, "service_group": {"services": [{}]}}, {"image": BASE, "volumes": [{}]},
    {"image": BASE, "network_interfaces": []}, {"image": BASE, "roms": [{"dir": "/etc"}]},
]


def bodies():
    """What the document forbids is refused as malformed, as a whole."""
    schema = operation("post", "/v1/instances")["requestBody"]["content"]["application/json"]["schema"]
    for body in BODIES:
        if validator(schema).is_valid(body):
            continue
        answer = http.post("/v1/instances", json=body)
        check(answer.status_code in (400, 403), f"{json.dumps(body)[:70]} is forbidden and refused",
              answer.text)
    taken = [body for body in BODIES if validator(schema).is_valid(body)]
    check(taken == [{}, []], "the document forbids all that has a wrong shape", taken)


# Members that no answer of this test has, each with the reason.
ALLOWED = {
    "message": "of items that did not fail: nothing to say",
    "error": "of items that failed, in a list of all",
    "errors": "of requests that fail as a whole",
    "warnings": "of a request that has something without effect",
    "restart": "while an app is started again",
    "attempt": "the same", "next_at": "the same",
    "template": "of a clone", "branch_from": "the same", "checkpoint": "the same",
    "certificate": "of a domain that has one",
    "getImages.data.images.uuid": "of any item that failed, but no image has one",
    "getImages.data.images.name": "the same", "getQuotas.data.quotas.name": "the same",
    "getInstanceCheckpoints.data.instances.annotations": "of a template alone",
    "protocol": "of a service: always tcp, and not said",
    "saving": "while a checkpoint is made", "isolated": "with --isolated", "silent": "of one whose keeper does not answer",
}


def coverage():
    missing = set()

    def walk(schema, where, depth=0):
        schema = resolve(schema)
        for part in schema.get("allOf", []) + schema.get("anyOf", []):
            walk(part, where, depth)
        for name, inner in schema.get("properties", {}).items():
            if name in ALLOWED or f"{where}.{name}" in ALLOWED:
                continue
            if (where, name) not in seen:
                missing.add(f"{where}.{name}")
            elif depth < 6:
                walk(inner, f"{where}.{name}", depth + 1)
        if "items" in schema:
            walk(schema["items"], where, depth + 1)

    for path in ("instances", "instances/history", "instances/checkpoints",
                 "instances/checkpoints/history", "volumes", "services", "certificates", "images", "users/quotas",
                 "healthz"):
        item = operation("get", "/v1/" + path)
        walk(item["responses"]["200"]["content"]["application/json"]["schema"],
             item["operationId"])
    check(not missing, "each member that the document promises was in some answer",
          sorted(missing))


for part in lives, others, bodies, coverage:
    try:
        part()
    except Exception as error:
        check(False, f"{part.__name__} goes to its end", repr(error))
check(not misfits, "all answers are as the document says", "\n# ".join(misfits[:20]))
