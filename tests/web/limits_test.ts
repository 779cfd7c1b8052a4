/*
 * Strangers cannot use up what the forwarder needs for images: every size, number and time has its end.
 */

import assert from "node:assert/strict";
import { FakeClock } from "../helpers/fake_clock.ts";
import { until, within } from "../helpers/until.ts";
import { EventHub, MAX_LISTENERS } from "../../src/web/events.ts";
import { type ListenerLimits, MAX_BODY, USUAL_LIMITS } from "../../src/web/listener.ts";
import { FakeControl } from "./fake_control.ts";
import { ask, csrfOf, open, parse, type Place, readAll, send } from "./raw_http.ts";
import { WebHouse } from "./web_house.ts";

const SHORT: ListenerLimits = { ...USUAL_LIMITS, headMs: 400, requestMs: 800, keepAliveMs: 400 };

const encoder = new TextEncoder();

/** The same without TLS and with it. */
function test(name: string, run: (tls: boolean) => Promise<void>): void {
  for (const tls of [false, true]) Deno.test(`${name}${tls ? " (TLS)" : ""}`, () => run(tls));
}

test("a body of 10 MB is answered with 413 without being read whole", async (tls) => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { tls });
  const bodies = [
    ["Content-Length: 10000000", (piece: Uint8Array) => piece],
    ["Transfer-Encoding: chunked", chunk],
  ] as const;
  for (const [length, framed] of bodies) {
    using connection = await open(house.place);
    const answer = readAll(connection);
    await connection.write(encoder.encode(
      `POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n${length}\r\n` +
        `X-CSRF-Token: ${await csrfOf(house.place)}\r\n\r\n`,
    ));
    const piece = framed(new Uint8Array(10_000));
    let sent = 0;
    try {
      while (sent < 10_000_000) sent += await connection.write(piece);
    } catch (error) {
      // Closed in the middle of it, as is meant.
      const closed = error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.BrokenPipe;
      if (!closed) throw error;
    }
    assert.ok(sent < 9_000_000, `${sent} bytes were taken`);
    await answer.then((text) => assert.equal(parse(text).status, 413), (error) => {
      // The rest of the body can overtake the answer.
      assert.ok(error instanceof Deno.errors.ConnectionReset, String(error));
    });
  }
  assert.deepEqual(control.done, []);
});

function chunk(piece: Uint8Array): Uint8Array {
  const head = encoder.encode(`${piece.length.toString(16)}\r\n`);
  const whole = new Uint8Array(head.length + piece.length + 2);
  whole.set(head);
  whole.set(piece, head.length);
  whole.set([13, 10], head.length + piece.length);
  return whole;
}

test("who announces too much is told 413 at once, and who asks first is not let send it", async (tls) => {
  await using house = await WebHouse.start(new FakeControl(), { tls });
  for (const expect of ["", "Expect: 100-continue\r\n"]) {
    const { status, text, headers } = await send(
      house.place,
      `POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n${expect}\r\n`,
    );
    assert.equal(status, 413);
    assert.match(JSON.parse(text).error, /wanted 65536 bytes at most/);
    assert.equal(headers.get("connection"), "close");
  }
  // The name comes before everything, this included.
  const foreign = await send(
    house.place,
    "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10000000\r\n\r\n",
  );
  assert.equal(foreign.status, 403);
});

test("a body of exactly the limit is read, also by who asks first whether it may be sent", async (tls) => {
  await using house = await WebHouse.start(new FakeControl(), { tls });
  const token = await csrfOf(house.place);
  const of = (length: number) => `{"password":"${"x".repeat(length - 15)}"}`;
  for (const expect of ["", "Expect: 100-continue\r\n"]) {
    using connection = await open(house.place);
    const body = of(MAX_BODY);
    await connection.write(encoder.encode(
      `POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n` +
        `Content-Type: application/json\r\nX-CSRF-Token: ${token}\r\n${expect}` +
        "Connection: close\r\n\r\n",
    ));
    for (let at = 0; at < body.length;) {
      at += await connection.write(encoder.encode(body.slice(at)));
    }
    const text = (await readAll(connection)).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    // Read, and found too long for a password.
    assert.equal(parse(text).status, 400, text);
  }
});

test("a head that is too large is refused, and so is an address", async (tls) => {
  await using house = await WebHouse.start(new FakeControl(), { tls });
  const status = async (head: string) =>
    (await send(house.place, `${head}Host: localhost\r\nConnection: close\r\n\r\n`)).status;
  assert.equal(await status(`GET /${"a".repeat(3000)} HTTP/1.1\r\n`), 400);
  assert.equal(await status(`GET / HTTP/1.1\r\nX: ${"a".repeat(17_000)}\r\n`), 431);
});

test("a connection that says nothing, half a head or half a body is closed in time", async (tls) => {
  await using house = await WebHouse.start(new FakeControl(), { limits: SHORT, tls });
  const beginnings = [
    "",
    "GET / HT",
    "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    // Answered, and then idle.
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ];
  await Promise.all(beginnings.map(async (beginning) => {
    using connection = await open(house.place);
    if (beginning !== "") await connection.write(encoder.encode(beginning));
    await within(readAll(connection), 10_000, `the end of ${JSON.stringify(beginning)}`);
  }));
});

test("beyond the limit a connection is closed at once, and one that ends makes room", async (tls) => {
  const limits = { ...USUAL_LIMITS, connections: 5 };
  await using house = await WebHouse.start(new FakeControl(), { limits, tls });
  const held: Deno.Conn[] = [];
  for (let n = 0; n < 5; n++) {
    const connection = await open(house.place);
    await connection.write(encoder.encode("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await connection.read(new Uint8Array(10_000));
    held.push(connection);
  }
  using sixth = await open(house.place);
  assert.equal(await within(sixth.read(new Uint8Array(10)), 5000, "the end"), null);
  for (const connection of held) connection.close();
  await until(
    async () => {
      try {
        return (await ask(house.place, { path: "/healthz" })).status === 200;
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionReset) return false;
        throw error;
      }
    },
    5000,
    "room",
  );
});

test("of 21 open pages the last is told that there are too many", async (tls) => {
  await using house = await WebHouse.start(new FakeControl(), { tls });
  const held: Deno.Conn[] = [];
  for (let n = 0; n < MAX_LISTENERS; n++) {
    const connection = await open(house.place);
    await connection.write(
      encoder.encode("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    await connection.read(new Uint8Array(10_000));
    held.push(connection);
  }
  assert.equal((await ask(house.place, { path: "/api/v1/events" })).status, 503);
  assert.equal((await ask(house.place, { path: "/api/v1/overview" })).status, 200);
  for (const connection of held) connection.close();
});

Deno.test("a page that takes nothing is dropped, and one that takes goes on being told", async () => {
  const clock = new FakeClock();
  const control = new FakeControl({ now: () => clock.now() });
  const hub = new EventHub(control, clock);
  const stalled = hub.subscribe(() => true);
  const reader = hub.subscribe(() => true).body!.getReader();
  let told = 0;
  const reading = (async () => {
    while (!(await reader.read()).done) told++;
  })();
  for (let n = 0; n < 10; n++) {
    control.step();
    await clock.advance(1000);
  }
  assert.equal(hub.listeners, 1);
  assert.ok(told >= 30, `told ${told} times`);
  await assert.rejects(async () => {
    for await (const _piece of stalled.body!);
  });
  await reader.cancel();
  await reading;
  await clock.advance(2000);
  assert.equal(hub.listeners, 0);
  assert.equal(clock.waiting, 0, "nobody listens, and nothing is looked at any more");
});

test("a reader that stops in the middle of a file loses the connection", async (tls) => {
  let cancelled = false;
  const control = new FakeControl();
  control.download = () =>
    Promise.resolve({
      size: 1e9,
      body: new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => void (cancelled = true),
      }),
    });
  const limits = { ...USUAL_LIMITS, stallMs: 300 };
  await using house = await WebHouse.start(control, { limits, tls });
  using connection = await open(house.place);
  await connection.write(encoder.encode(
    "GET /api/v1/queue/1-1-00000000-00000000/pacs/file HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ));
  await until(() => cancelled, 10_000, "the file to be closed");
});

test("a reader that stops before the last bytes of an answer loses the connection", async (tls) => {
  // So many bytes are taken of an answer of which nothing is read.
  let taken = 0;
  let most = Infinity;
  let over = false;
  const control = new FakeControl();
  control.download = () => {
    taken = 0;
    const body = new ReadableStream({
      pull: async (controller) => {
        // One after the other, as far as they go.
        await new Promise((resolve) => setTimeout(resolve, 0));
        controller.enqueue(new Uint8Array(4096));
        taken += 4096;
        if (taken < most) return;
        controller.close();
        over = true;
      },
      // The system takes a little less at times: then it is as in the test before.
      cancel: () => void (over = true),
    }, { highWaterMark: 0 });
    return Promise.resolve({ size: 1e9, body });
  };
  const limits = { ...USUAL_LIMITS, stallMs: 1000, keepAliveMs: 1000, connections: 1 };
  await using house = await WebHouse.start(control, { limits, tls });
  const begin = async () => {
    const connection = await open(house.place);
    await connection.write(encoder.encode(
      "GET /api/v1/queue/1-1-00000000-00000000/pacs/file HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ));
    return connection;
  };
  using first = await begin();
  let before = -1;
  await until(
    async () => {
      if (taken > 0 && taken === before) return true;
      before = taken;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return false;
    },
    10_000,
    "the first to be stalled",
  );
  first.close();
  // The last bytes are those that the runtime still keeps.
  over = false;
  most = taken - 8192;
  await until(() => begins(house.place), 5000, "room for another");
  using _second = await begin();
  await until(() => over, 10_000, "all of the second to be handed over");
  await until(() => begins(house.place), 5000, "room for a third");
});

/** Whether there is room for a connection. */
async function begins(place: Place): Promise<boolean> {
  try {
    return (await ask(place, { path: "/healthz" })).status === 200;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return false;
    throw error;
  }
}

test("a reader that goes away in the middle of a file closes it", async (tls) => {
  const cancelled = Promise.withResolvers<void>();
  const control = new FakeControl();
  control.download = () =>
    Promise.resolve({
      size: 1e9,
      body: new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => cancelled.resolve(),
      }),
    });
  await using house = await WebHouse.start(control, { tls });
  const connection = await open(house.place);
  await connection.write(encoder.encode(
    "GET /api/v1/queue/1-1-00000000-00000000/pacs/file HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ));
  await connection.read(new Uint8Array(1000));
  connection.close();
  await within(cancelled.promise, 10_000, "the file to be closed");
});

test("a connection that sends request after request and waits for no answer is closed, and few are begun", async (tls) => {
  const control = new FakeControl();
  let begun = 0;
  control.studies = () => {
    begun++;
    return new Promise(() => {});
  };
  await using house = await WebHouse.start(control, { tls });
  using connection = await open(house.place);
  const closed = readAll(connection).catch((error) => {
    assert.ok(error instanceof Deno.errors.ConnectionReset, String(error));
  });
  const one = "GET /api/v1/studies HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await connection.write(encoder.encode(one.repeat(1000)));
  await within(closed, 5000, "the connection was not closed");
  assert.ok(begun <= 4, `${begun} were begun`);

  // Some ahead of their answers are within the rules (RFC 9112 §9.3.2), however many in all.
  using other = await open(house.place);
  const few = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (let round = 0; round < 5; round++) {
    await other.write(encoder.encode(few.repeat(3)));
    await answersOf(other, 3);
  }
});

/** Reads until so many answers of `{"ok":true}` have come. */
async function answersOf(connection: Deno.Conn, count: number): Promise<void> {
  const piece = new Uint8Array(65_536);
  let text = "";
  while (text.split('{"ok":true}').length <= count) {
    const length = await connection.read(piece);
    assert.notEqual(length, null, text);
    text += new TextDecoder().decode(piece.subarray(0, length!));
  }
}
