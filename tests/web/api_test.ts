/*
 * The HTTP API does what its description says, and its description says all that it does.
 */

import assert from "node:assert/strict";
import Ajv2020 from "ajv/dist/2020.js";
import { FakeClock } from "../helpers/fake_clock.ts";
import { ATTACKS } from "../helpers/attack_names.ts";
import { FakeControl, HOSTILE } from "./fake_control.ts";
import { ask, change, csrfOf } from "./raw_http.ts";
import { WebHouse } from "./web_house.ts";

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { content: Record<string, { schema: object }> };
  readonly responses: Record<string, { content: Record<string, { schema: object }> }>;
}

interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

async function description(port: number): Promise<Description> {
  const { status, text } = await ask(port, { path: "/api/v1/openapi.json" });
  assert.equal(status, 200);
  return JSON.parse(text);
}

/** Bodies and queries that each operation takes. */
const BODIES: Readonly<Record<string, unknown>> = {
  "/api/v1/queue/retry": { state: "failed", destination: "pacs" },
  "/api/v1/queue/hold": { state: "queued", study: "10000001" },
  "/api/v1/queue/release": { state: "held", destination: "pacs" },
};

Deno.test("every operation of the description is served, and answers in the shape it says", async () => {
  const control = new FakeControl({ items: 60 });
  await using house = await WebHouse.start(control);
  const [first] = (await control.queue({ limit: 1 })).items;
  const { openapi, paths } = await description(house.port);
  assert.equal(openapi, "3.1.1");
  const ajv = new Ajv2020.default({ strict: true, strictTypes: false, validateFormats: false });
  const ids = new Set<string>();
  for (const [template, methods] of Object.entries(paths)) {
    for (const [method, { operationId, requestBody, responses }] of Object.entries(methods)) {
      ids.add(operationId);
      const path = template.replace("{id}", first!.id)
        .replace("{destination}", first!.destination).replace("{name}", "pacs");
      const what = `${method} ${path}`;
      // Without a password there is nothing to log in to, and a stream has no end.
      if (path.endsWith("/login") || path.endsWith("/events")) continue;
      const body = path.endsWith("/remove")
        ? { items: [{ id: first!.id, destination: first!.destination }] }
        : BODIES[path] ?? {};
      if (requestBody !== undefined) {
        const valid = ajv.compile(requestBody.content["application/json"]!.schema);
        assert.ok(valid(body), `${what}: ${JSON.stringify(valid.errors)}`);
      }
      const answer = method === "get"
        ? await ask(house.port, { path })
        : await change(house.port, path.slice("/api/v1".length), body);
      assert.equal(answer.status, 200, `${what}: ${answer.text.slice(0, 300)}`);
      const [type, { schema }] = Object.entries(responses[200]!.content)[0]!;
      assert.equal(answer.headers.get("content-type"), type, what);
      assert.equal(answer.headers.get("cache-control"), "no-store", what);
      if (type !== "application/json") continue;
      const valid = ajv.compile(schema);
      assert.ok(valid(JSON.parse(answer.text)), `${what}: ${JSON.stringify(valid.errors)}`);
    }
  }
  assert.ok(ids.size >= 24, `${ids.size} operations`);
});

Deno.test("an error is told as one sentence, as the description says", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const { components } = await description(house.port);
  const ajv = new Ajv2020.default();
  const valid = ajv.compile({ ...components.schemas.Error, additionalProperties: false });
  const missing = "1-1-00000000-00000000";
  const answers = [
    [404, await ask(house.port, { path: "/api/v1/nothing" })],
    [404, await ask(house.port, { path: `/api/v1/queue/${missing}/pacs` })],
    [404, await ask(house.port, { path: `/api/v1/queue/${missing}/pacs/file` })],
    [404, await change(house.port, "/destinations/nobody/pause")],
    [404, await change(house.port, "/destinations/nobody/test")],
    [404, await change(house.port, "/login", { password: "whatever it may be" })],
    [405, await ask(house.port, { path: "/api/v1/reload" })],
    [405, await ask(house.port, { method: "PUT", path: "/api/v1/overview" })],
  ] as const;
  for (const [status, answer] of answers) {
    assert.equal(answer.status, status, answer.text);
    assert.ok(valid(JSON.parse(answer.text)), answer.text);
  }
  control.broken = true;
  const { status, text } = await ask(house.port, { path: "/api/v1/overview" });
  assert.equal(status, 500);
  assert.ok(valid(JSON.parse(text)), text);
  assert.doesNotMatch(text, /secret-cause|fake_control/);
});

Deno.test("what nobody knows in a query, an address or a body is refused, and nothing is done", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const queries = [
    "queue?limit=0",
    "queue?limit=501",
    "queue?limit=1e3",
    "queue?limit=2.5",
    "queue?state=lost",
    "queue?study=../../..",
    "queue?sort=asc",
    "queue?__proto__=1",
    "queue?state=failed&state=queued",
    "studies?active=maybe",
    `studies?search=${"x".repeat(65)}`,
    "log?limit=2001",
    "overview?x=1",
    "queue/..%2f..%2fetc/pacs",
    "queue/1-1-00000000-00000000/%2e%2e%2f",
    "queue/1-1-00000000-00000000/PACS/file",
  ];
  for (const query of queries) {
    const { status, text } = await ask(house.port, { path: `/api/v1/${query}` });
    assert.equal(status, 400, `${query}: ${text.slice(0, 200)}`);
    assert.match(JSON.parse(text).error, /^The (query|address) /, query);
  }
  const id = "1-1-00000000-00000000";
  const bodies: unknown[] = [
    {},
    null,
    [],
    "all",
    { items: [] },
    { items: "all" },
    { items: [{ id }] },
    { items: [{ id, destination: "pacs", path: "/etc/passwd" }] },
    { items: [{ id: "../x", destination: "pacs" }] },
    { items: Array.from({ length: 1001 }, () => ({ id, destination: "pacs" })) },
    { state: "failed" },
    { destination: "pacs" },
    { state: "failed", destination: "pacs", study: "10000001" },
    { state: "failed", destination: "pacs", items: [] },
    { state: "all", destination: "pacs" },
    { state: "failed", destination: "*" },
  ];
  for (const body of bodies) {
    const { status, text } = await change(house.port, "/queue/remove", body);
    // A thousand names too many are also too many bytes.
    assert.ok(status === 400 || status === 413, `${JSON.stringify(body).slice(0, 100)}: ${text}`);
  }
  for (const body of ["{", "nothing", "[1", '{"a":1}']) {
    const { status } = await ask(house.port, {
      method: "POST",
      path: "/api/v1/reload",
      headers: [["Content-Type", "application/json"], ["X-CSRF-Token", await csrfOf(house.port)]],
      body,
    });
    assert.equal(status, 400, body);
  }
  assert.deepEqual(control.done, []);
});

Deno.test("nothing that is only looked at changes anything, by GET or HEAD", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const [first] = (await control.queue({ limit: 1 })).items;
  const { paths } = await description(house.port);
  for (const template of Object.keys(paths)) {
    const path = template.replace("{id}", first!.id)
      .replace("{destination}", first!.destination).replace("{name}", "pacs");
    for (const method of path.endsWith("/events") ? ["HEAD"] : ["GET", "HEAD"]) {
      const { status, text } = await ask(house.port, { method, path });
      assert.ok(status === 200 || status === 405, `${method} ${path}: ${status}`);
      if (method === "HEAD") assert.equal(text, "", path);
    }
  }
  assert.deepEqual(control.done, []);
});

Deno.test("up to a thousand named instances are done at once, with who did it", async () => {
  const control = new FakeControl({ items: 10 });
  await using house = await WebHouse.start(control);
  const { items } = await control.queue({ limit: 100 });
  const named = items.map(({ id, destination }) => ({ id, destination }));
  const gone = { id: "1-1-00000000-00000000", destination: "pacs" };
  const { text } = await change(house.port, "/queue/remove", { items: [...named, gone] });
  const { done, failed } = JSON.parse(text);
  assert.equal(done, 10);
  assert.deepEqual(failed, [{ ...gone, reason: "There is no such instance" }]);
  assert.match(control.done[0]!, /^remove .* by web 127\.0\.0\.1$/);
  assert.equal((await control.queue({ limit: 100 })).total, 0);
});

Deno.test("a stored file comes as an attachment whose name is made of numbers alone", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const [item] = (await control.queue({ limit: 1, state: "failed" })).items;
  const path = `/api/v1/queue/${item!.id}/${item!.destination}/file`;
  const { headers, text } = await ask(house.port, { path });
  assert.equal(headers.get("content-type"), "application/dicom");
  assert.match(headers.get("content-disposition")!, /^attachment; filename="\d+-\d+\.dcm"$/);
  assert.equal(headers.get("content-length"), "526338");
  assert.equal(text.slice(128, 132), "DICM");
});

Deno.test("hostile texts stay texts: no header and no markup is made of them", async () => {
  const control = new FakeControl({ items: 200 });
  await using house = await WebHouse.start(control);
  for (const path of ["overview", "studies", "queue?limit=500", "log", "configuration"]) {
    const { headers, text } = await ask(house.port, { path: `/api/v1/${path}` });
    assert.equal(headers.get("content-type"), "application/json");
    assert.deepEqual(headers.getSetCookie(), []);
    // Control characters are escaped in JSON, so that no line of an event stream ends early.
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x1f]/, path);
  }
  const { text } = await ask(house.port, { path: "/api/v1/studies" });
  assert.ok(
    JSON.parse(text).studies.some(
      (study: { identification: { patientName: string } | null }) =>
        study.identification?.patientName === HOSTILE[0],
    ),
  );
});

Deno.test("no path leads out of the table of files", async () => {
  await using house = await WebHouse.start(new FakeControl());
  const tries = [
    "../index.html",
    "..%2findex.html",
    "..%2f..%2fserver.ts",
    "%2e%2e/server.ts",
    "..%5cserver.ts",
    "..\\server.ts",
    "index.html::$DATA",
    "index.html",
    "index.html%00.css",
    "./index.html",
    "uplot.js/",
    "UPLOT.JS",
    "uplot.js%2e",
    "uplot.js.",
    "constructor",
    "__proto__",
    "%",
    "%ff",
    ...ATTACKS.filter((name) => name.length < 500).map(encodeURIComponentSafe),
  ];
  for (const name of tries) {
    const answer = await ask(house.port, { path: `/assets/${name}` });
    // Dots between slashes are taken out of an address before it is looked up.
    const isRoot = ["", "..", "%2e%2e", "."].includes(name);
    assert.ok(
      answer.status === 404 || answer.status === 400 || (isRoot && answer.status === 200),
      `${name}: ${answer.status}`,
    );
    assert.doesNotMatch(answer.text, /import |WebApp/, name);
  }
});

function encodeURIComponentSafe(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

Deno.test("a file comes packed where the browser takes it, and not again while it is the same", async () => {
  await using house = await WebHouse.start(new FakeControl());
  const path = "/assets/uplot.js";
  const plain = await ask(house.port, { path });
  assert.equal(plain.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.match(plain.text, /export \{ uPlot as default \}/);
  const packed = await ask(house.port, { path, headers: [["Accept-Encoding", "br, gzip"]] });
  assert.equal(packed.headers.get("content-encoding"), "gzip");
  const [small, large] = [packed, plain].map(({ headers }) =>
    Number(headers.get("content-length"))
  );
  assert.ok(small! < large! / 2, `${small} of ${large}`);
  const tag = plain.headers.get("etag")!;
  const same = await ask(house.port, { path, headers: [["If-None-Match", `"x", W/${tag}`]] });
  assert.equal(same.status, 304);
  assert.equal(same.text, "");
  assert.equal((await ask(house.port, { path, headers: [["If-None-Match", '"x"']] })).status, 200);
});

Deno.test("a method that is not for a path is answered with those that are", async () => {
  await using house = await WebHouse.start(new FakeControl());
  const allowed = async (method: string, path: string) => {
    const { status, headers } = await ask(house.port, { method, path });
    assert.equal(status, 405, `${method} ${path}`);
    return headers.get("allow");
  };
  assert.equal(await allowed("GET", "/api/v1/reload"), "POST");
  assert.equal(await allowed("POST", "/api/v1/overview"), "GET, HEAD");
  assert.equal(await allowed("DELETE", "/"), "GET, HEAD");
  assert.equal(await allowed("POST", "/healthz"), "GET, HEAD");
  assert.equal(await allowed("OPTIONS", "/api/v1/reload"), "POST");
  const { status, headers } = await ask(house.port, { path: "/nothing" });
  assert.equal(status, 404);
  assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
});

Deno.test("health and readiness are told to everybody, metrics to this machine or with the password", async () => {
  const control = new FakeControl();
  const password_hash = `$scrypt$ln=10,r=8,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;
  const web = { password_hash, allowed_names: ["forwarder.lan"] };
  await using house = await WebHouse.start(control, { web });
  const status = async (path: string, headers: readonly (readonly [string, string])[] = []) =>
    (await ask(house.port, { path, headers })).status;
  assert.equal(await status("/healthz"), 200);
  assert.equal(await status("/readyz"), 200);
  control.isReady = false;
  const { status: notReady, text } = await ask(house.port, { path: "/readyz" });
  assert.equal(notReady, 503);
  assert.match(JSON.parse(text).reasons[0], /minimum_free_space/);
  assert.equal(await status("/metrics"), 200);
  // Whoever comes through a proxy on this machine comes from elsewhere.
  const elsewhere: [string, string] = ["Host", "forwarder.lan"];
  const refused = await ask(house.port, { path: "/metrics", headers: [elsewhere] });
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get("www-authenticate")!, /^Basic /);
  const wrong: [string, string] = ["Authorization", `Basic ${btoa("prometheus:guess")}`];
  for (let n = 0; n < 10; n++) assert.equal(await status("/metrics", [elsewhere, wrong]), 401);
  assert.equal(await status("/metrics", [elsewhere, wrong]), 429, "guesses count here, too");
  await using open = await WebHouse.start(control, { web: { ...web, metrics_public: true } });
  assert.equal((await ask(open.port, { path: "/metrics", headers: [elsewhere] })).status, 200);
});

Deno.test("the stream tells what has changed, once a second at most, and is heard of every 15 s", async () => {
  const clock = new FakeClock();
  const control = new FakeControl({ now: () => clock.now() });
  await using house = await WebHouse.start(control, { clock });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: house.port });
  await connection.write(
    new TextEncoder().encode("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  );
  const piece = new Uint8Array(1_000_000);
  let heard = "";
  const hear = async (pattern: RegExp) => {
    while (!pattern.test(heard)) {
      const length = await connection.read(piece);
      assert.notEqual(length, null, heard);
      heard += new TextDecoder().decode(piece.subarray(0, length!));
    }
  };
  await hear(/retry: 2000/);
  await clock.advance(0);
  await hear(/event: overview[^]*event: studies\n[^]*"complete":true\}\n\n/);
  assert.match(heard, /content-type: text\/event-stream/);
  const parts = heard.split("event: ").map((part) => part.split("\n")[0]);
  assert.deepEqual(parts.slice(1), ["overview", "studies"]);
  heard = "";
  // Nothing changes, and nothing is said but that it is there.
  await clock.advance(14_000);
  await clock.advance(1000);
  await hear(/: still here/);
  assert.doesNotMatch(heard, /event: /);
  heard = "";
  control.step();
  await clock.advance(1000);
  await hear(/event: throughput\ndata: \{.*\}\n\n/);
  const step = JSON.parse(/event: throughput\ndata: (.*)/.exec(heard)![1]!);
  assert.equal(step.receivedInstances.length, 1);
  assert.equal(step.until, control.throughput().until);
});
