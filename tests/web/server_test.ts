/*
 * The status page beside the forwarder: it comes when its port is free, and commands of this machine find it.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { configFrom } from "../../src/config/load.ts";
import { startDaemon } from "../../src/daemon.ts";
import { StatusPage } from "../../src/daemon/status_page.ts";
import { ClientError, controlClient } from "../../src/web/client.ts";
import { controlFilePath, readControlFile, writeControlFile } from "../../src/web/control_file.ts";
import { startWeb } from "../../src/web/server.ts";
import { systemClock } from "../../src/clock.ts";
import { startArguments } from "../cli/run_cli.ts";
import { Child } from "../helpers/child.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { TEST_SETTINGS } from "../helpers/forwarder.ts";
import { captureLog } from "../helpers/log_file.ts";
import { Scratch } from "../helpers/scratch.ts";
import { until, within } from "../helpers/until.ts";
import { FakeControl } from "./fake_control.ts";
import { ask, change } from "./raw_http.ts";
import { WebHouse, webSettings } from "./web_house.ts";

const HASH = `$scrypt$ln=10,r=8,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;

Deno.test("where the port is taken it is told once, tried every 30 s, and served when it is free", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clock = new FakeClock();
  const settings = webSettings({ port: taken.addr.port });
  const server = startWeb({ settings, control: new FakeControl(), clock, spoolDir: null });
  for (let n = 0; n < 3; n++) {
    await until(() => clock.waiting === 1, 5000, "the next try to be planned");
    await clock.advance(30_000);
  }
  await until(() => clock.waiting === 1, 5000, "the next try to be planned");
  assert.equal(server.port, undefined);
  taken.close();
  await clock.advance(30_000);
  assert.equal(await within(server.listening, 5000, "the port"), settings.port);
  assert.equal((await ask(settings.port, { path: "/healthz" })).status, 200);
  await server.stop();
  await assert.rejects(ask(settings.port), Deno.errors.ConnectionRefused);
  const told = (await lines()).filter((line) => line.includes("No status page at"));
  assert.equal(told.length, 1, told.join("\n"));
  assert.match(told[0]!, /WARN.*127\.0\.0\.1.*tried again every 30 s/);
});

Deno.test("where somebody else has the port by now, the control.json of a crash leads nobody there", async () => {
  await using scratch = await Scratch.make();
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${taken.addr.port}/`;
  await writeControlFile(scratch.path, { url, token: "t".repeat(43), pid: 1 });
  const clock = new FakeClock();
  const settings = webSettings({ port: taken.addr.port });
  const control = new FakeControl();
  const server = startWeb({ settings, control, clock, spoolDir: scratch.path });
  await until(() => clock.waiting === 1, 5000, "the next try to be planned");
  assert.equal(await readControlFile(scratch.path), undefined);
  await server.stop();
  taken.close();
});

Deno.test("a server that still waits for its port can be stopped", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clock = new FakeClock();
  const settings = webSettings({ port: taken.addr.port });
  const server = startWeb({ settings, control: new FakeControl(), clock, spoolDir: null });
  await until(() => clock.waiting === 1, 5000, "the next try to be planned");
  await server.stop();
  assert.equal(clock.waiting, 0);
});

Deno.test("reached from the network without TLS it says so in the log, once", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  const web = { host: "0.0.0.0", password_hash: HASH };
  await using house = await WebHouse.start(new FakeControl(), { web });
  await house.stop();
  const warnings = (await lines()).filter((line) => / WARN /.test(line));
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0]!, /without TLS/);
});

Deno.test("every change is in the log with who made it, and no patient", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  await using house = await WebHouse.start(new FakeControl());
  await ask(house.port, { path: "/api/v1/studies?search=PID10003" });
  await change(house.port, "/queue/remove", { state: "failed", destination: "pacs" });
  await change(house.port, "/destinations/pacs/pause");
  await change(house.port, "/reload");
  await house.stop();
  const text = (await lines()).join("\n");
  assert.match(text, /Queue: remove by web 127\.0\.0\.1.*destination=pacs.*done=\d+/);
  assert.match(text, /Destination: pause by web 127\.0\.0\.1.*destination=pacs/);
  assert.match(text, /Configuration: reload by web 127\.0\.0\.1.*ok=false/);
  assert.doesNotMatch(text, /PID1|DOE/);
});

Deno.test("a command of the same user is let in by control.json, without a password or a token of a page", async () => {
  await using scratch = await Scratch.make();
  const control = new FakeControl({ items: 20 });
  const spoolDir = scratch.path;
  await using house = await WebHouse.start(control, { web: { password_hash: HASH }, spoolDir });
  if (Deno.build.os !== "windows") {
    assert.equal((await Deno.stat(controlFilePath(spoolDir))).mode! & 0o777, 0o600);
  }
  const client = await controlClient(spoolDir);
  assert.ok(client !== undefined);
  assert.equal(client.pid, Deno.pid);
  assert.equal((await client.overview()).aeTitle, "DICOMFORWARDER");
  assert.equal((await client.throughput()).step, 1000);
  assert.equal((await client.studies({ search: "PID10003" })).studies.length, 1);
  assert.equal((await client.studies({ active: false, limit: 7 })).studies.length, 7);
  assert.equal((await client.log(3)).length, 3);
  const { items } = await client.queue({ destination: "pacs", limit: 2 });
  const [{ id, destination }] = items as [typeof items[0]];
  assert.equal((await client.item({ id, destination }))?.id, id);
  assert.equal(await client.item({ id: "1-1-00000000-00000000", destination }), undefined);
  assert.equal((await client.act("hold", { items: [{ id, destination }] })).done, 1);
  assert.equal(await client.switch("pacs", "pause"), true);
  assert.equal(await client.switch("nobody", "try"), false);
  assert.equal((await client.test("research"))?.ok, false);
  assert.equal(await client.test("nobody"), undefined);
  assert.equal((await client.reload()).ok, false);
  assert.equal((await client.testAlarms()).ok, true);
  assert.ok(control.done.some((words) => words === "pause pacs by cli"), control.done.join("\n"));
  await assert.rejects(client.queue({ limit: 0 }), (error) => {
    return error instanceof ClientError && error.status === 400 && /limit/.test(error.message);
  });
  await house.stop();
  assert.equal(await readControlFile(spoolDir), undefined);
  assert.equal(await controlClient(spoolDir), undefined);
  await assert.rejects(client.overview(), (error) => {
    return error instanceof ClientError && error.status === 0 &&
      /cannot be asked/.test(error.message);
  });
});

Deno.test("a token that is not this start's opens nothing, and the right one not under another name", async () => {
  await using scratch = await Scratch.make();
  const spoolDir = scratch.path;
  const before = await WebHouse.start(new FakeControl(), { spoolDir });
  const { token: old } = (await readControlFile(spoolDir))!;
  await before.stop();
  for (const web of [{}, { password_hash: HASH }]) {
    await using house = await WebHouse.start(new FakeControl(), { web, spoolDir });
    const { token } = (await readControlFile(spoolDir))!;
    const status = async (bearer: string, headers: readonly (readonly [string, string])[] = []) =>
      (await ask(house.port, {
        path: "/api/v1/overview",
        headers: [["Authorization", `Bearer ${bearer}`], ...headers],
      })).status;
    assert.equal(await status(token), 200);
    assert.equal(await status(old), 401);
    assert.equal(await status(token.slice(0, -1)), 401);
    assert.equal(await status(token, [["Host", "evil.example"]]), 403);
    assert.equal(await status(token, [["Origin", "https://evil.example"]]), 403);
  }
});

Deno.test("a control.json that a crash left, or that is none, leads nowhere", async () => {
  await using scratch = await Scratch.make();
  assert.equal(await controlClient(scratch.at("no-such-spool")), undefined);
  const path = controlFilePath(scratch.path);
  using unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${unused.addr.port}/`;
  unused.close();
  const contents = [
    "",
    "{}",
    "[]",
    JSON.stringify({ url, token: "t".repeat(43), pid: 1 }),
    JSON.stringify({ url: "file:///etc/passwd", token: "t".repeat(43), pid: 1 }),
  ];
  for (const content of contents) {
    await Deno.writeTextFile(path, content);
    assert.equal(await controlClient(scratch.path), undefined, content);
  }
});

Deno.test("a daemon serves its page, goes on when its port is taken, and removes control.json at its stop", async () => {
  await using scratch = await Scratch.make();
  const settings = { ...TEST_SETTINGS, store_locally: true };
  const control = new FakeControl();
  const config = configFrom({ ...settings, web: { port: 0 } }, scratch.path);
  const daemon = await startDaemon(config, { page: control });
  const file = await within(
    (async () => {
      for (;;) {
        const found = await readControlFile(config.spoolDir);
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })(),
    10_000,
    "control.json",
  );
  const port = Number(new URL(file.url).port);
  assert.equal((await ask(port, { path: "/readyz" })).status, 200);
  const second = configFrom(
    { ...settings, spool_dir: "other", web: { port } },
    scratch.path,
  );
  const other = await startDaemon(second, { page: control });
  await other.stop();
  assert.equal((await ask(port, { path: "/readyz" })).status, 200);
  // Another password by a reload: the page asks for it at once.
  daemon.reload(
    configFrom({ ...settings, web: { port, password_hash: HASH } }, scratch.path),
    "cli",
  );
  const asked = async () => {
    try {
      return (await ask(port, { path: "/api/v1/overview" })).status;
    } catch (error) {
      const between = error instanceof Deno.errors.ConnectionRefused ||
        error instanceof Deno.errors.ConnectionReset;
      if (!between) throw error;
      return 0;
    }
  };
  await until(async () => await asked() === 401, 10_000, "the page to ask for the password");
  await daemon.stop();
  assert.deepEqual(
    [...Deno.readDirSync(join(scratch.path, "spool"))].filter(({ name }) => /control/.test(name)),
    [],
  );
});

Deno.test("other settings are taken over while it runs, and whoever asked for it still gets the answer", async () => {
  await using scratch = await Scratch.make();
  const control = new FakeControl();
  const page = new StatusPage({ control, clock: systemClock, spoolDir: scratch.path });
  page.serve(webSettings());
  const first = (await page.port())!;
  control.reload = () => {
    page.serve(webSettings({ password_hash: HASH }));
    return Promise.resolve({ ok: true, lines: ["web: another password"] });
  };
  const { status, text } = await change(first, "/reload");
  assert.equal(status, 200, text);
  const second = (await page.port())!;
  assert.equal((await ask(second, { path: "/api/v1/overview" })).status, 401);
  page.serve(webSettings({ enabled: false }));
  assert.equal(await page.port(), undefined);
  await assert.rejects(ask(second), Deno.errors.ConnectionRefused);
  await page.stop();
});

Deno.test("under the program's own permissions the pages are served, and a password is checked", async () => {
  const script = fileURLToPath(new URL("serve_fake.ts", import.meta.url));
  const words = startArguments().map((word) => word.endsWith("main.ts") ? script : word);
  const password = "correct horse battery";
  const child = new Child(
    Deno.execPath(),
    [...words, "--port", "0", "--password", password],
    { NO_COLOR: "1" },
  );
  try {
    const port = Number((await child.says(/http:\/\/127\.0\.0\.1:(\d+)\//))[1]);
    for (const path of ["/", "/assets/uplot.js", "/assets/uplot.css"]) {
      const { status, text } = await ask(port, { path });
      assert.equal(status, 200, path);
      assert.ok(text.length > 100, path);
    }
    assert.equal((await ask(port, { path: "/api/v1/overview" })).status, 401);
    const { status, headers } = await change(port, "/login", { password });
    assert.equal(status, 200);
    const cookie: [string, string] = ["Cookie", headers.getSetCookie()[0]!.split(";")[0]!];
    assert.equal((await ask(port, { path: "/api/v1/overview", headers: [cookie] })).status, 200);
  } finally {
    await child.end();
  }
});
