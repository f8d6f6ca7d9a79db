// SPDX-License-Identifier: BSD-3-Clause
//
// The cloud's own JavaScript SDK against `romsim serve`: js_sdk.mjs URL TOKEN.  Prints "ok TEXT" or
// "not ok TEXT" for each thing that it looked at (tests/clients/clients.bash reads that).

import { pathToFileURL } from "node:url";

// The SDK is in build/clients, not beside this file.
const { UnikraftCloud, UnikraftCloudError } = await import(
  pathToFileURL(`${process.env.CLIENTS}/node/node_modules/@unikraft/cloud/dist/esm/index.js`));

const [url, token] = process.argv.slice(2);
const PATIENCE = 120; // seconds for what takes one; the machine may be busy
const BASE = "org/base:latest";

function check(condition, text, detail) {
  console.log(`${condition ? "ok" : "not ok"} ${text}`);
  if (!condition) console.log(`# ${JSON.stringify(detail) ?? detail}`.slice(0, 2000));
}

// The error that it throws, which has to be the SDK's.
async function throws(text, work) {
  try {
    const got = await work();
    check(false, text, { "no error, but": got });
  } catch (error) {
    check(error instanceof UnikraftCloudError, text, String(error?.stack ?? error));
    return error;
  }
}

const app = (words) => ({
  name: "app", at: "/rom",
  files: [{ path: "app.sh", encoding: "text",
            data: `trap "exit 3" TERM; echo "hello from ${words}"; while :; do sleep 0.1; done\n` }],
});

const ukc = new UnikraftCloud({ token, metro: url + "/v1" });

async function collect(list) {
  const all = [];
  for await (const item of list) all.push(item);
  return all;
}

// Reads the log from the beginning, page by page, until it has the words.
async function follow(ref, wanted) {
  let text = Buffer.alloc(0), offset = 0;
  for (let i = 0; i < PATIENCE * 5 && !text.includes(wanted); i++) {
    const page = await ukc.instances.get(ref).logs({ offset, limit: 1000 });
    const piece = Buffer.from(page.output, "base64");
    if (piece.length !== page.range.end - page.range.start)
      check(false, "a page of the log is as long as its range", page);
    text = Buffer.concat([text, piece]);
    if (piece.length) offset = page.range.end;
    else await new Promise((done) => setTimeout(done, 200));
  }
  return text.toString();
}

async function life() {
  const web = await ukc.instances
    .create({ name: "web", image: BASE, memory_mb: 128, autostart: true, tags: ["team:a", "js"],
              roms: [app("an inline ROM")] })
    .wait({ state: "running", timeoutSeconds: PATIENCE });
  check(web.state === "running", "create with an inline ROM, and wait", web);
  const got = await ukc.instances.get({ name: "web" });
  check(got.uuid === web.uuid && got.roms[0].at === "/rom" && got.memory_mb === 128,
        "get has it", got);
  check((await follow({ name: "web" }, "hello from an inline ROM")).includes("hello from"),
        "its log is read page by page");
  const late = await throws("a wait that is too long throws",
    () => ukc.instances.get({ uuid: web.uuid }).wait({ state: "stopped", timeoutSeconds: 1 }));
  check(/timed out/i.test(late?.message), "and says so", late?.message);

  const code = await ukc.instances.create({ name: "code", image: { url: BASE }, memory_mb: 128,
    roms: [{ name: "app", image: "org/rom1:latest", at: "/rom" }] });
  check(code.state === "stopped", "create with an image ROM", code);
  await ukc.instances.get({ name: "code" }).update(
    { roms: [{ name: "app", image: "org/rom2:latest", at: "/rom" }], env: { A: "1" } });
  const changed = await ukc.instances.get({ name: "code" });
  check(/org\/rom2/.test(changed.roms[0].image) && changed.env.A === "1",
        "update changes a ROM and the environment in one request", changed);
  await ukc.instances.get({ name: "code" }).start().wait({ timeoutSeconds: PATIENCE });
  check((await follow({ name: "code" }, "hello from ROM 2")).includes("hello from ROM 2"),
        "start runs what is in the ROM");
  const metrics = await ukc.instances.get({ name: "code" }).metrics();
  check(metrics.boot_time_us > 0, "metrics has its boot time", metrics);
  const [history] = await ukc.instances.get({ name: "code" }).history();
  check(history.name === "code" && history.history.length === 0,
        "a history is empty without a checkpoint", history);
}

async function lists() {
  // One page: this SDK does not know that `from` is the first of the next (cloud-api §1.3).
  const names = (await collect(ukc.instances.list({ details: true }))).map((i) => i.name);
  check(names.join() === "web,code", "list has both, in the order of creation", names);
  const tagged = (await collect(ukc.instances.list({ tags: ["team:a", "js"] }))).map((i) => i.name);
  check(tagged.join() === "web", "repeated tags select", tagged);
  const brief = (await collect(ukc.instances.list({ details: false }))).map((i) => i.name);
  check(brief.join() === "web,code", "a list without details has the names", brief);
}

async function errors() {
  const twice = await throws("a second instance of a name throws",
    () => ukc.instances.create({ name: "web", image: BASE, memory_mb: 128 }));
  check(/web/.test(twice?.message), "and names it", twice?.message);
  const missing = await throws("an instance that is not there throws",
    () => ukc.instances.get({ name: "nosuch" }));
  check(/nosuch/.test(missing?.message), "and is named", missing?.message);
  await throws("so does one by UUID",
    () => ukc.instances.get({ uuid: "00000000-0000-4000-8000-000000000000" }));
  await throws("image and files together throw", () => ukc.instances.create(
    { name: "x", image: BASE, roms: [{ ...app("x"), image: "org/rom1:latest" }] }));
  const stranger = new UnikraftCloud({ token: "another", metro: url });
  const refused = await throws("another token throws", () => collect(stranger.instances.list()));
  check(refused?.status === 401, "with HTTP status 401", refused?.status);
}

async function ends() {
  const stopped = await ukc.instances.stop([{ name: "web" }, { name: "code" }]);
  check(stopped.map((i) => i.previous_state).join() === "running,running", "stop takes several",
        stopped);
  for (const name of ["web", "code"])
    await ukc.instances.get({ name }).wait({ state: "stopped", timeoutSeconds: PATIENCE });
  const web = await ukc.instances.get({ name: "web" });
  check((web.stop_reason & 8) !== 0, "it was the user who stopped it", web);
  await ukc.instances.delete([{ name: "web" }, { name: "code" }]);
  check((await collect(ukc.instances.list())).length === 0, "and delete leaves nothing");
}

async function others() {
  const [quotas] = await ukc.users.quotas();
  check(quotas.limits.max_memory_mb === 8192, "the quotas have the limits in force", quotas);
  const images = await ukc.api.platform.images.getImages({});
  check(images.data.images.some((i) => i.tags.some((t) => t.includes("base"))),
        "the images of the store are listed", images);
  const store = await ukc.api.platform.images.getImageStore?.({});
  check(!store || store.status === "success", "and so is the image store", store);
  const disk = await ukc.volumes.create({ name: "disk", size_mb: 8 });
  check(disk.name === "disk", "a volume is made", disk);
  check((await collect(ukc.volumes.list())).length === 1, "and listed");
  await ukc.volumes.delete([{ name: "disk" }]);
  const group = await ukc.services.create({ name: "front",
    services: [{ port: 443, destination_port: 8080, handlers: ["tls", "http"] }] });
  check(group.services[0].port === 443, "a service group is made", group);
  await ukc.services.delete([{ name: "front" }]);
  check((await collect(ukc.services.list())).length === 0, "and deleted");
  const scaled = await ukc.api.platform.autoscale.getAutoscaleConfigurations({});
  check(scaled.status !== undefined, "autoscale configurations are listed", scaled);
}

for (const part of [life, lists, errors, ends, others]) {
  try {
    await part();
  } catch (error) {
    check(false, `${part.name} goes to its end`, `${error?.stack} ${JSON.stringify(error?.body)}`);
  }
}
