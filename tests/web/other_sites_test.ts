/*
 * Another site in the administrator's own browser sees nothing of the status page and changes nothing by it.
 */

import assert from "node:assert/strict";
import { FakeControl } from "./fake_control.ts";
import { ask, change, csrfOf, type RawRequest, send } from "./raw_http.ts";
import { WebHouse } from "./web_house.ts";

type Headers = NonNullable<RawRequest["headers"]>;

const PATHS = ["/", "/api/v1/overview", "/api/v1/session", "/healthz", "/metrics", "/nothing"];

Deno.test("a request under a foreign name is refused with 403 whatever it asks for", async () => {
  await using house = await WebHouse.start(new FakeControl());
  const names = [
    "evil.example",
    `evil.example:${house.port}`,
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost.",
    "127.0.0.2",
    "10.0.0.5",
    "0.0.0.0",
    "[::2]",
    "localhost:99999999",
    "localhost:8104@evil.example",
    "localhost/",
    "",
  ];
  for (const name of names) {
    for (const path of PATHS) {
      const { status, text } = await ask(house.port, { path, headers: [["Host", name]] });
      // Characters that no Host has are refused by the parser already.
      assert.ok(status === 403 || (status === 400 && /[/@]/.test(name)), `${status} for ${name}`);
      assert.doesNotMatch(text, /csrf|DICOMFORWARDER/);
    }
  }
  for (const name of ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8104"]) {
    const { status } = await ask(house.port, { path: "/", headers: [["Host", name]] });
    assert.equal(status, 200, name);
  }
});

Deno.test("a request without a name, with two, or with an address of another server is refused", async () => {
  await using house = await WebHouse.start(new FakeControl());
  const own = `127.0.0.1:${house.port}`;
  const heads = [
    `GET / HTTP/1.1\r\n`,
    `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\n`,
    `GET http://evil.example/ HTTP/1.1\r\nHost: ${own}\r\n`,
    `GET //evil.example/ HTTP/1.1\r\nHost: ${own}\r\n`,
    `GET * HTTP/1.1\r\nHost: ${own}\r\n`,
    `GET / HTTP/1.0\r\n`,
  ];
  for (const head of heads) {
    const { status } = await send(house.port, `${head}Connection: close\r\n\r\n`);
    assert.equal(status, 400, head);
  }
});

Deno.test("bound to more than loopback, it is reached by address and under the allowed names alone", async () => {
  const web = {
    host: "0.0.0.0",
    allowed_names: ["Forwarder.Lan"],
    password_hash: `$scrypt$ln=10,r=8,p=1$${"s".repeat(22)}$${"h".repeat(43)}`,
  };
  await using house = await WebHouse.start(new FakeControl(), { web });
  const status = async (name: string) =>
    (await ask(house.port, { path: "/healthz", headers: [["Host", name]] })).status;
  for (const name of ["forwarder.lan", "FORWARDER.LAN:443", "192.168.7.7:8104", "[fe80::1]"]) {
    assert.equal(await status(name), 200, name);
  }
  for (const name of ["evil.example", "a.forwarder.lan", "forwarder.lan.evil.example"]) {
    assert.equal(await status(name), 403, name);
  }
});

Deno.test("a change from a page of another site is refused even with the right token", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const token = await csrfOf(house.port);
  const foreign: Headers[] = [
    [["Origin", "https://evil.example"]],
    [["Origin", "null"]],
    [["Origin", ""]],
    [["Origin", "http://127.0.0.1"]],
    [["Origin", `http://localhost:${house.port}`]],
    [["Origin", `http://127.0.0.1:${house.port}.evil.example`]],
    [["Sec-Fetch-Site", "cross-site"]],
    [["Sec-Fetch-Site", "same-site"]],
    [["Origin", `http://127.0.0.1:${house.port}`], ["Sec-Fetch-Site", "cross-site"]],
  ];
  for (const headers of foreign) {
    for (const path of ["/reload", "/destinations/pacs/pause", "/login", "/logout", "/nothing"]) {
      const { status } = await ask(house.port, {
        method: "POST",
        path: `/api/v1${path}`,
        headers: [...headers, ["X-CSRF-Token", token], ["Content-Type", "application/json"]],
        body: "{}",
      });
      assert.equal(status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
  assert.deepEqual(control.done, []);
  const own = await change(house.port, "/destinations/pacs/pause");
  assert.equal(own.status, 200, own.text);
  assert.deepEqual(control.done, ["pause pacs by web 127.0.0.1"]);
});

Deno.test("a page of another site does not even reach what is only read, and opens no stream", async () => {
  await using house = await WebHouse.start(new FakeControl());
  for (const site of ["cross-site", "same-site"]) {
    const same = [
      "/%61pi/v1/overview",
      "/api/v%31/events",
      "/x/../%61pi/v1/session",
      "/api/v1/%71ueue",
    ];
    for (const path of ["/api/v1/session", "/api/v1/overview", "/api/v1/events", ...same]) {
      const headers: Headers = [["Sec-Fetch-Site", site]];
      assert.equal((await ask(house.port, { path, headers })).status, 403, path);
    }
  }
  // A link to the page may stand anywhere.
  const linked = await ask(house.port, { headers: [["Sec-Fetch-Site", "cross-site"]] });
  assert.equal(linked.status, 200);
});

Deno.test("a change without its token, or with another one, is refused", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  await using other = await WebHouse.start(control);
  const tokens = [[], [""], ["x".repeat(43)], [await csrfOf(other.port)], ["undefined"]];
  for (const token of tokens) {
    const { status } = await ask(house.port, {
      method: "POST",
      path: "/api/v1/reload",
      headers: token.map((text) => ["X-CSRF-Token", text] as const),
      body: "",
    });
    assert.equal(status, 403, JSON.stringify(token));
  }
  // A form of another site can send a text, but not with the token.
  const form = await ask(house.port, {
    method: "POST",
    path: "/api/v1/reload",
    headers: [["Content-Type", "text/plain"], ["X-CSRF-Token", await csrfOf(house.port)]],
    body: "{}",
  });
  assert.equal(form.status, 415);
  assert.deepEqual(control.done, []);
});

Deno.test("no answer allows another site to read it, and each forbids frames, guesses and inline code", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control);
  const origin: Headers = [["Origin", "https://evil.example"]];
  const asked: RawRequest[] = [
    ...PATHS.map((path) => ({ path, headers: origin })),
    { method: "OPTIONS", path: "/api/v1/reload" },
    {
      method: "OPTIONS",
      path: "/api/v1/reload",
      headers: [...origin, ["Access-Control-Request-Method", "POST"]],
    },
    { method: "DELETE", path: "/" },
    { path: "/api/v1/log?limit=x" },
    { path: "/", headers: [["Host", "evil.example"]] },
    { method: "POST", path: "/api/v1/reload", headers: [["Content-Length", "10000000"]] },
  ];
  for (const request of asked) {
    const { headers, status } = await ask(house.port, request);
    const what = `${status} ${JSON.stringify(request)}`;
    for (const [name] of headers) assert.doesNotMatch(name, /^access-control-/, what);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; /, what);
    assert.match(policy, /frame-ancestors 'none'; base-uri 'none'$/, what);
    assert.doesNotMatch(policy, /unsafe|\*|http/, what);
    assert.equal(headers.get("x-content-type-options"), "nosniff", what);
    assert.equal(headers.get("referrer-policy"), "no-referrer", what);
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin", what);
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin", what);
    assert.match(headers.get("cache-control") ?? "", /^no-(store|cache)$/, what);
  }
});
