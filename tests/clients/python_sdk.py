# SPDX-License-Identifier: BSD-3-Clause
"""The cloud's own Python SDK against `romsim serve`: python_sdk.py URL TOKEN.

Prints "ok TEXT" or "not ok TEXT" for each thing that it looked at (tests/clients/clients.bash reads
that).  What it says is what a user of the SDK sees; nothing here knows how romsim does it.
"""

import asyncio
import base64
import inspect
import pathlib
import re
import sys
import traceback
import warnings

import httpx
from pydantic import BaseModel
from unikraft_cloud import (AlreadyExistsError, AuthenticationError, NotFoundError, UnikraftCloud,
                            UnikraftCloudError, UnikraftCloudWarning, WaitTimeoutError)
from unikraft_cloud.resources.instances import InstanceStoppedError
import unikraft_cloud.api.platform as platform

URL, TOKEN = sys.argv[1:]
PATIENCE = 120  # seconds for what takes one; the machine may be busy
BASE = "org/base:latest"
SAY = 'trap "echo bye; exit 3" TERM; echo "hello from {0}"; while :; do sleep 0.1; done\n'


def check(condition, text, detail=""):
    print(f"{'ok' if condition else 'not ok'} {text}", flush=True)
    if not condition:
        print(f"# {detail!r}"[:2000], flush=True)


def app(words):
    """A ROM with what the base image runs."""
    return {"name": "app", "at": "/rom",
            "files": [{"path": "app.sh", "encoding": "text", "data": SAY.format(words)}]}


async def raises(kind, text, awaitable):
    """The error that it raises, which has to be of this kind; None if it is not."""
    try:
        got = await awaitable
    except Exception as error:
        check(type(error) is kind, text, (type(error), str(error), getattr(error, "body", None)))
        return error if type(error) is kind else None
    check(False, text, ("no error, but", got))
    return None


# What romsim says and this specification does not: its own; a hostname, which can be set; and what
# the older SDK's metrics have (cloud-api §1.3).
OURS = {".romsim", ".hostname"}
OLDER_METRICS = {".state", ".start_count", ".restart_count", ".started_at", ".stopped_at",
                 ".uptime_ms"}


def extras(model, path=""):
    """What the SDK's model, which was made of the cloud's specification, does not know."""
    if isinstance(model, BaseModel):
        for name in model.model_extra or {}:
            yield f"{path}.{name}"
        for name in type(model).model_fields:
            yield from extras(getattr(model, name), f"{path}.{name}")
    elif isinstance(model, list):
        for item in model:
            yield from extras(item, path + "[]")


def knows(model, text, but=frozenset()):
    found = sorted(set(extras(model)) - OURS - but)
    check(not found, f"{text} has no member that the cloud's specification lacks", found)


async def follow(ukc, name, wanted):
    """Reads the log as one who follows it does, from the beginning; returns what it read."""
    text, offset = b"", 0
    for _ in range(PATIENCE * 5):
        page = await ukc.instances.get(name=name).logs(offset=offset, limit=16383)
        piece = base64.b64decode(page.output)
        if len(piece) != page.range.end - page.range.start:
            check(False, "a page of the log is as long as its range", page)
        text += piece
        if piece:
            offset = page.range.end
        if wanted.encode() in text:
            return text.decode()
        await asyncio.sleep(0.2)
    return text.decode()


async def lives(ukc):
    web = await ukc.instances.create(
        name="web", image=BASE, memory_mb=128, vcpus=1, env={"GREETING": "hi"},
        tags=["team:a", "web"], roms=[app("an inline ROM")],
        autostart=True, timeout_s=PATIENCE)
    check(web.name == "web" and web.state == "running", "create with an inline ROM, and wait", web)
    knows(web, "an instance")
    check(web.memory_mb == 128 and web.vcpus == 1 and web.env == {"GREETING": "hi"},
          "the instance is as it was asked for", web)
    check([(rom.name, rom.at) for rom in web.roms] == [("app", "/rom")], "it has its ROM", web.roms)
    check(web.boot_time_us > 0 and web.start_count == 1 and web.started_at >= web.created_at,
          "it has started once", web)
    check(web.private_fqdn == "web.internal" and re.fullmatch(r"10\.0\.\d+\.\d+", web.private_ip or
          web.network_interfaces[0].private_ip), "it has its address", web)
    check("hello from an inline ROM" in await follow(ukc, "web", "hello from"),
          "its log is followed, page by page")

    error = await raises(WaitTimeoutError, "a wait that is too long raises WaitTimeoutError",
                         ukc.instances.get(name="web").wait(state="stopped", timeout_seconds=1))
    check(error and error.state == "running" and isinstance(error, TimeoutError),
          "which knows the state", error and error.state)
    waited = await ukc.instances.get(uuid=web.uuid).wait(state="running",
                                                         timeout_seconds=PATIENCE)
    check(waited.state == "running", "a wait for what is so already returns", waited)
    knows(waited, "a waited instance")

    metrics = await ukc.instances.get(name="web").metrics()
    check(metrics.uuid == web.uuid and metrics.boot_time_us > 0, "it has metrics", metrics)
    knows(metrics, "a metric", OLDER_METRICS)
    [history] = await ukc.instances.get(name="web").history()
    check(history.uuid == web.uuid and history.history == [],
          "a history is empty without a checkpoint", history)


async def roms(ukc):
    code = await ukc.instances.create(
        name="code", image=BASE, memory_mb=128, tags=["team:b"],
        roms=[{"name": "app", "image": "org/rom1:latest", "at": "/rom"}])
    check(code.state == "stopped" and code.start_count == 0,
          "create with an image ROM, without autostart", code)
    check("org/rom1" in code.roms[0].image, "the ROM's image is said", code.roms)
    started = await ukc.instances.get(name="code").start()
    check(started.previous_state == "stopped", "start says the state before", started)
    knows(started, "a started instance")
    await ukc.instances.get(name="code").wait(timeout_seconds=PATIENCE)
    check("hello from ROM 1" in await follow(ukc, "code", "hello from"), "its app is the ROM's")

    updated = await ukc.instances.get(name="code").update(
        roms=[{"name": "app", "image": "org/rom2:latest", "at": "/rom"}])
    check(updated.uuid == code.uuid, "another ROM is set while it runs", updated)
    knows(updated, "an updated instance")
    queued = await ukc.instances.get(name="code")
    check([(u.prop, u.op, u.status) for u in queued.updates or []] == [("roms", "set", "pending")],
          "which waits for the next start", queued.updates)
    knows(queued, "an instance with queued updates")

    stopped = await ukc.instances.get(name="code").stop()
    check(stopped.previous_state == "running", "stop says the state before", stopped)
    knows(stopped, "a stopped instance")
    await ukc.instances.get(name="code").wait(state="stopped", timeout_seconds=PATIENCE)
    code = await ukc.instances.get(name="code")
    check(code.stop and code.stop.reason & 8, "it was the user who stopped it",
          code.describe_stop())
    check(not code.updates and "org/rom2" in code.roms[0].image, "it has the other ROM now",
          (code.updates, code.roms))
    await ukc.instances.get(name="code").start().wait(timeout_seconds=PATIENCE)
    check("hello from ROM 2" in await follow(ukc, "code", "hello from ROM 2"),
          "and runs what is in it")

    await ukc.instances.get(name="code").stop()
    await ukc.instances.get(name="code").wait(state="stopped", timeout_seconds=PATIENCE)
    await (ukc.instances.get(name="code").edit()
           .add(roms=[{"name": "more", "at": "/more",
                       "files": [{"path": "/x", "encoding": "base64", "data": "AAEC"}]}],
                env={"B": "2"})
           .apply())
    code = await ukc.instances.get(name="code")
    check([rom.name for rom in code.roms] == ["app", "more"] and code.env["B"] == "2",
          "several edits go in one request", (code.roms, code.env))
    await ukc.instances.get(name="code").edit().delete(roms=["more"]).apply()
    code = await ukc.instances.get(name="code")
    check([rom.name for rom in code.roms] == ["app"], "a ROM is taken away by name", code.roms)


async def lists(ukc):
    names = [i.name for i in await ukc.instances.list(details=True, page_size=1)]
    check(names == ["web", "code"], "a list comes page by page, in the order of creation", names)
    names = [i.name for i in await ukc.instances.list(tags=["team:a", "web"])]
    check(names == ["web"], "tags select: all of them must be there", names)
    names = [i.name async for i in ukc.instances.list(details=False)]
    check(names == ["web", "code"], "a list without details has the names", names)
    both = await ukc.instances.stop(["web", "code"])
    check([i.name for i in both] == ["web", "code"], "stop takes several", both)
    await ukc.instances.get(name="web").wait(state="stopped", timeout_seconds=PATIENCE)
    error = await raises(NotFoundError,
                         "a list of one that is there and one that is not raises NotFoundError",
                         ukc.instances.delete(["code", "nosuch"], timeout_seconds=PATIENCE))
    check(error and [i.name for i in error.results] == ["code"],
          "whose results have the one that is gone", error and error.results)


async def errors(ukc):
    error = await raises(AlreadyExistsError, "a second instance of a name raises AlreadyExistsError",
                         ukc.instances.create(name="web", image=BASE, memory_mb=128))
    check(error and error.status == 409 and error.body["errors"][0]["error"] == 23,
          "its code is 23", error and error.body)
    error = await raises(NotFoundError, "an instance that is not there raises NotFoundError",
                         ukc.instances.get(name="nosuch"))
    check(error and error.absent and error.errors[0].code == 8, "its code is 8, and it is absent",
          error and error.errors)
    await raises(NotFoundError, "so does one by UUID",
                 ukc.instances.get(uuid="00000000-0000-4000-8000-000000000000"))
    gone = await ukc.instances.get(name="nosuch").delete(missing_ok=True)
    check(gone is None, "missing_ok forgives that", gone)
    await raises(NotFoundError, "an image that is not there raises NotFoundError",
                 ukc.instances.create(name="x", image="org/nosuch:latest", memory_mb=128))
    await raises(AlreadyExistsError, "two ROMs at one place raise AlreadyExistsError",
                 ukc.instances.create(name="x", image=BASE, memory_mb=128, roms=[
                     {"name": "a", "image": "org/rom1:latest", "at": "/rom"},
                     {"name": "b", "image": "org/rom1:latest", "at": "/rom"}]))
    error = await raises(UnikraftCloudError, "nine ROMs are too many",
                         ukc.instances.create(name="x", image=BASE, memory_mb=128, roms=[
                             {"name": f"r{i}", "image": "org/rom1:latest"} for i in range(9)]))
    check(error and error.body["errors"][0]["error"] == 5, "with code 5", error and error.body)
    # A ROM that is no file system cannot be mounted, so the boot fails.
    error = await raises(InstanceStoppedError, "a boot that fails raises InstanceStoppedError",
                         ukc.instances.create(name="brief", image=BASE, memory_mb=128, autostart=True,
                                              timeout_s=PATIENCE, roms=[
                                                  {"name": "r", "image": "org/raw:latest", "at": "/r"}]))
    if error:
        check(error.instance.name == "brief" and error.stop.reason == 1, "which has the instance",
              error.instance)
    await ukc.instances.get(name="brief").delete(timeout_seconds=PATIENCE, missing_ok=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await ukc.instances.create(name="warned", image=BASE, memory_mb=128,
                                   annotations={"a": "b"})
        check(any(w.category is UnikraftCloudWarning and "annotations" in str(w.message)
                  for w in caught), "what is not simulated is warned of",
              [str(w.message) for w in caught])
    await ukc.instances.get(name="warned").delete(timeout_seconds=PATIENCE)
    async with UnikraftCloud(token="another", base_url=URL, trust_env=False) as stranger:
        error = await raises(AuthenticationError, "another token raises AuthenticationError",
                             stranger.instances.list())
        check(error and error.status == 401, "by HTTP status 401", error and error.status)


async def ends(ukc):
    suspended = await ukc.instances.get(name="web").start().wait(timeout_seconds=PATIENCE).suspend()
    check(suspended.previous_state == "running", "suspend says the state before", suspended)
    knows(suspended, "a suspended instance")
    deleted = await ukc.instances.get(name="web").delete(timeout_seconds=-1)
    check(deleted.name == "web", "delete waits until it is gone", deleted)
    knows(deleted, "a deleted instance")
    check(await ukc.instances.list() == [], "and nothing is left", await ukc.instances.list())


async def others(ukc):
    for image in await ukc.images.list():
        knows(image, "an image", {".status"})  # kraft's SDK has it
    tags = [tag for image in await ukc.images.list() for tag in image.tags or []]
    check(any("base" in tag for tag in tags), "the images of the store are listed", tags)
    quotas = (await ukc.users.quotas())[0]
    check(quotas.limits.max_memory_mb == 8192, "the quotas have the limits in force", quotas)
    knows(quotas, "a quota")
    volume = await ukc.volumes.create(name="disk", size_mb=8)
    check(volume.name == "disk" and volume.size_mb == 8, "a volume is made", volume)
    knows(volume, "a volume", {".used_bytes"})
    check([v.name for v in await ukc.volumes.list()] == ["disk"], "and listed")
    await ukc.volumes.get(name="disk").delete()
    check(await ukc.volumes.list() == [], "and deleted")
    group = await ukc.services.create(name="front", services=[
        {"port": 443, "destination_port": 8080, "handlers": ["tls", "http"]}])
    check(group.name == "front" and group.services[0].port == 443, "a service group is made", group)
    knows(group, "a service group")
    check([g.name for g in await ukc.services.list()] == ["front"], "and listed")
    await ukc.services.get(name="front").delete()
    check(await ukc.services.list() == [], "and deleted")
    check(await ukc.certificates.list() == [], "certificates are listed")
    health = await ukc.api.platform.node.healthz() if hasattr(ukc.api.platform, "node") else None
    if health:
        check(health.status == "success", "healthz answers", health)
        knows(health, "healthz")


def operations():
    """Each method and path that the SDK has for the platform's API."""
    for file in sorted(pathlib.Path(inspect.getfile(platform)).parent.glob("*_gen.py")):
        text = file.read_text()
        yield from re.findall(r'method="([A-Z]+)",\s*path=f?"([^"]*)"', text)


async def reaches():
    """No operation of the SDK meets a path or method that is not served."""
    missing, count = [], 0
    async with httpx.AsyncClient(trust_env=False, base_url=URL, timeout=60,
                                 headers={"Authorization": "Bearer " + TOKEN}) as http:
        for method, path in operations():
            path = re.sub(r"\{[^}]*\}", "00000000-0000-4000-8000-000000000000", path)
            if "audit" in path:
                continue
            count += 1
            answer = await http.request(method, path, headers={"Content-Type": "application/json"})
            body = answer.json()
            # What is not simulated is said so (501); what is not there is told by an item.
            if answer.status_code in (404, 405) and "data" not in body:
                missing.append((method, path, answer.status_code, body.get("message")))
    check(count > 60 and not missing, "all operations of the SDK are served", (count, missing))


async def main():
    async with UnikraftCloud(token=TOKEN, base_url=URL, trust_env=False) as ukc:
        for part in (lives(ukc), roms(ukc), errors(ukc), lists(ukc), ends(ukc), others(ukc),
                     reaches()):
            name = part.__name__
            try:
                await part
            except Exception as error:
                body = getattr(error, "body", None)
                check(False, f"{name} goes to its end", traceback.format_exc() + repr(body))


asyncio.run(main())
