/* Alarms by HTTP, to real servers that take them, refuse them, hang or send them elsewhere. */

import assert from "node:assert/strict";
import type { Notice } from "../../src/alarms/channel.ts";
import { ChannelError } from "../../src/alarms/channel.ts";
import { Webhook } from "../../src/alarms/webhook.ts";
import { certificateFor } from "../helpers/certificates.ts";
import { freePort } from "../helpers/child.ts";
import { Scratch } from "../helpers/scratch.ts";
import { WebhookServer } from "../helpers/webhook_server.ts";
import { within } from "../helpers/until.ts";

const SENDER = { site: "St. Anna", version: "1.2.3" };
const NOTICE: Notice = {
  event: "begin",
  key: "destination-down pacs",
  severity: "critical",
  title: "pacs is down",
  text: "Destination pacs is down.",
  since: Date.UTC(2026, 10, 23, 12),
  at: Date.UTC(2026, 10, 23, 12, 5),
};

function send(
  url: string,
  more: {
    headers?: Record<string, string>;
    timeoutMs?: number;
    left?: number;
    caFile?: string;
  } = {},
  signal = new AbortController().signal,
): Promise<string> {
  const { headers = {}, timeoutMs = 5000, left = 0, caFile = null } = more;
  return new Webhook({ url, headers, timeoutMs, caFile }, SENDER).send([NOTICE], left, signal);
}

async function failure(...given: Parameters<typeof send>): Promise<string> {
  try {
    await send(...given);
  } catch (error) {
    assert(error instanceof ChannelError, String(error));
    return error.message;
  }
  throw new Error("it was sent");
}

Deno.test("an alarm is posted as JSON with everything it says, and the headers of the configuration", async () => {
  await using server = new WebhookServer();
  const said = await send(server.url("/hook?key=SESAME"), { headers: { "X-Key": "SESAME" } });
  assert.match(said, /^http:\/\/127\.0\.0\.1:\d+ answered 204 within \d+ ms$/);
  const { method, path, headers, body } = server.posted[0]!;
  assert.deepEqual([method, path], ["POST", "/hook?key=SESAME"]);
  assert.equal(headers.get("X-Key"), "SESAME");
  assert.match(headers.get("Content-Type")!, /^application\/json/);
  assert.deepEqual(body, {
    product: "DICOM Forwarder",
    site: "St. Anna",
    event: "begin",
    key: "destination-down pacs",
    severity: "critical",
    title: "pacs is down",
    text: "Destination pacs is down.",
    since: "2026-11-23T12:00:00.000Z",
    at: "2026-11-23T12:05:00.000Z",
    version: "1.2.3",
  });
});

Deno.test("messages that were left out are counted in the next one", async () => {
  await using server = new WebhookServer();
  await send(server.url(), { left: 3 });
  assert.equal(server.posted[0]!.body.left_out, 3);
});

Deno.test("user and password in the address become a header", async () => {
  await using server = new WebhookServer();
  await send(`http://us%20er:p%C3%A4ss@127.0.0.1:${server.port}/`);
  const sent = server.posted[0]!.headers.get("Authorization")!.slice("Basic ".length);
  const bytes = Uint8Array.from(atob(sent), (char) => char.charCodeAt(0));
  assert.equal(new TextDecoder().decode(bytes), "us er:p\u00e4ss");
});

Deno.test("a redirect is not followed, and the words say where it points without what may be secret", async () => {
  await using other = new WebhookServer();
  await using server = new WebhookServer();
  for (const status of [301, 302, 303, 307, 308]) {
    server.answer = () =>
      new Response(null, { status, headers: { Location: other.url("/SESAME") } });
    const words = await failure(server.url());
    assert.match(words, new RegExp(`answered ${status}, a redirect to ${other.url("")}, which`));
    assert.match(words, /put the final address into alarms\.webhook\.url/);
    assert.doesNotMatch(words, /SESAME/);
  }
  assert.equal(other.posted.length, 0);
});

Deno.test("each answer but success is told in words that say what to do", async () => {
  await using server = new WebhookServer();
  const rows: [number, RegExp][] = [
    [500, /answered 500: it has trouble of its own/],
    [401, /does not let us in; check alarms\.webhook\.headers/],
    [403, /does not let us in/],
    [404, /knows no such address; check alarms\.webhook\.url/],
    [405, /takes no POST/],
    [429, /sent again later/],
    [418, /does not take our message/],
  ];
  for (const [status, wanted] of rows) {
    server.answer = () => new Response("SESAME", { status });
    assert.match(await failure(server.url("/SESAME")), wanted);
  }
});

Deno.test("a server that hangs is given up after the time-out, a body without end is not read", async () => {
  await using server = new WebhookServer();
  server.answer = server.hang;
  const words = await failure(server.url("/SESAME"), { timeoutMs: 200 });
  assert.match(words, /did not answer within 0\.2 s: check that it runs/);
  const endless = new ReadableStream<Uint8Array>({
    pull: (stream) => stream.enqueue(new Uint8Array(1024)),
  });
  server.answer = () => new Response(endless, { status: 200 });
  await within(send(server.url()), 4000, "an answer without end to be left");
});

Deno.test("an attempt ends with the signal", async () => {
  await using server = new WebhookServer();
  server.answer = server.hang;
  const stop = new AbortController();
  const words = failure(server.url(), {}, stop.signal);
  await server.received(1);
  stop.abort();
  assert.match(await within(words, 2000, "the attempt to end"), /broken off/);
});

Deno.test("what hinders a connection is told in words, without the address's secrets", async () => {
  const closing = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const one of closing) one.close();
  })();
  await using plain = new WebhookServer();
  const rows: [string, RegExp][] = [
    [`http://127.0.0.1:${freePort()}/SESAME`, /nothing listens there: check the host and the port/],
    ["http://no-such-host.invalid/SESAME", /host name cannot be resolved/],
    [`https://127.0.0.1:${plain.port}/SESAME`, /speaks no TLS there/],
    [`http://127.0.0.1:${closing.addr.port}/SESAME`, /broke off before an answer/],
  ];
  for (const [url, wanted] of rows) {
    const words = await failure(url);
    assert.match(words, wanted);
    assert.doesNotMatch(words, /SESAME/);
  }
  closing.close();
  await serving;
});

Deno.test(
  "a certificate of an unknown issuer is refused, and taken where the configuration names the issuer",
  async () => {
    await using scratch = await Scratch.make();
    const files = await certificateFor(scratch.path, "localhost");
    let posted = 0;
    const server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      cert: Deno.readTextFileSync(files.certificate),
      key: Deno.readTextFileSync(files.key),
    }, () => {
      posted++;
      return new Response();
    });
    const url = `https://localhost:${server.addr.port}/SESAME`;
    const words = await failure(url);
    assert.match(words, /issuer this computer does not trust: .*alarms\.webhook\.ca_file/);
    assert.equal(posted, 0);
    assert.match(await send(url, { caFile: files.issuer }), /answered 200/);
    const other = `https://127.0.0.1:${server.addr.port}/`;
    assert.match(await failure(other, { caFile: files.issuer }), /is for another name/);
    assert.match(await failure(url, { caFile: files.key }), /no certificate in it/);
    await server.shutdown();
  },
);
