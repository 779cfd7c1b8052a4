/*
 * One connection: reads that take no more than asked, writes that are done when they are done, time-outs that say which.
 */

import assert from "node:assert/strict";
import { connectTcp, Transport, TransportError } from "../../src/ul/transport.ts";
import { hex, noise } from "../helpers/hex.ts";
import { Peer, PeerListener } from "../helpers/peer.ts";

const NEVER = new AbortController().signal;

/** Both ends of a loopback connection, and an end to it. */
async function pair(use: (transport: Transport, peer: Peer) => Promise<void>): Promise<void> {
  const listener = await PeerListener.listen();
  const transport = await connectTcp("127.0.0.1", listener.port, 5000, NEVER);
  const peer = await listener.accept();
  try {
    await use(transport, peer);
  } finally {
    transport.close();
    peer.close();
    await listener.close();
  }
}

function kind(wanted: TransportError["kind"], message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TransportError, String(error));
    assert.equal(error.kind, wanted, error.message);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test("bytes arrive as they were written, and an end is 0", () =>
  pair(async (transport, peer) => {
    const sent = noise(300_000);
    await Promise.all([
      transport.write(sent, 5000),
      (async () => assert.equal(hex(await peer.receive(sent.length)), hex(sent)))(),
    ]);
    await peer.send(Uint8Array.of(1, 2, 3));
    const into = new Uint8Array(2);
    assert.equal(await transport.read(into, 5000, "x"), 2);
    assert.equal(await transport.read(into, 5000, "x"), 1);
    await peer.finish();
    assert.equal(await transport.read(into, 5000, "x"), 0);
  }));

Deno.test("a read nobody answers times out by its name and closes the connection, with the last words", () =>
  pair(async (transport, peer) => {
    transport.lastWords = Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0);
    const began = performance.now();
    await assert.rejects(
      transport.read(new Uint8Array(10), 60, "nothing received"),
      kind("timeout", /127\.0\.0\.1:\d+: time-out, nothing received/),
    );
    assert.ok(performance.now() - began < 1000);
    assert.equal(hex(await peer.receiveRest()), hex(transport.lastWords));
    assert.equal(transport.closed, true);
  }));

Deno.test("a time-out armed longer than an earlier one waits its own time", () =>
  pair(async (transport, peer) => {
    const into = new Uint8Array(1);
    await peer.send(Uint8Array.of(1));
    await transport.read(into, 50, "short");
    // The short timer still runs; it must not cut the longer wait.
    setTimeout(() => void peer.send(Uint8Array.of(2)), 120);
    assert.equal(await transport.read(into, 5000, "long"), 1);
    assert.equal(into[0], 2);
    // And a shorter one after a longer one is not late.
    const began = performance.now();
    await assert.rejects(transport.read(into, 50, "short again"), kind("timeout", /short again/));
    assert.ok(performance.now() - began < 1000);
  }));

Deno.test("a peer that takes no data stalls the write, which times out", () =>
  pair(async (transport, peer) => {
    peer.stopReading();
    const began = performance.now();
    await assert.rejects(async () => {
      for (let n = 0; n < 200; n++) await transport.write(new Uint8Array(1 << 20), 150);
    }, kind("timeout", /peer takes no data/));
    assert.ok(performance.now() - began < 5000);
    assert.equal(transport.closed, true);
    await assert.rejects(transport.write(Uint8Array.of(1), 100), TransportError);
  }));

Deno.test("a slow reader is no stall as long as it takes something", () =>
  pair(async (transport, peer) => {
    peer.stopReading();
    const pump = setInterval(() => {
      peer.startReading();
      setTimeout(() => peer.stopReading(), 5);
    }, 60);
    try {
      for (let n = 0; n < 24; n++) await transport.write(new Uint8Array(1 << 20), 1500);
    } finally {
      clearInterval(pump);
      peer.startReading();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }));

Deno.test("a reset is an error in plain words", () =>
  pair(async (transport, peer) => {
    peer.reset();
    await assert.rejects(
      transport.read(new Uint8Array(1), 5000, "x"),
      kind("closed", /^reading from 127\.0\.0\.1:\d+: connection reset by peer$/),
    );
  }));

Deno.test("closing here ends a read that waits", () =>
  pair(async (transport) => {
    const read = transport.read(new Uint8Array(1), 5000, "x");
    transport.close();
    transport.close();
    await assert.rejects(read, kind("closed", /connection closed here/));
  }));

Deno.test("a port nobody listens on is told from an unknown name and from silence", async () => {
  const listener = await PeerListener.listen();
  const { port } = listener;
  await listener.close();
  await assert.rejects(
    connectTcp("127.0.0.1", port, 5000, NEVER),
    kind("refused", /refused the connection/),
  );
  await assert.rejects(
    connectTcp("no-such-host.invalid", 104, 5000, NEVER),
    kind("name-not-found", /no-such-host\.invalid is not known/),
  );
});

Deno.test("a name with several addresses is reached by the one that listens, whether the others refuse or swallow", async () => {
  const listener = await PeerListener.listen();
  // A queue of one that nobody takes from: once it is full, the system drops what asks to connect.
  using full = Deno.listen({ hostname: "127.0.0.2", port: listener.port, tcpBacklog: 1 });
  const fillers: Deno.TcpConn[] = [];
  for (;;) {
    const { hostname, port } = full.addr;
    const signal = AbortSignal.timeout(500);
    const filler = await Deno.connect({ hostname, port, signal }).catch(() => undefined);
    if (filler === undefined) break;
    fillers.push(filler);
  }
  try {
    const addresses = ["127.0.0.3", "127.0.0.2", "127.0.0.1"];
    const began = performance.now();
    const transport = await connectTcp("pacs.test", listener.port, 2000, NEVER, (host) => {
      assert.equal(host, "pacs.test");
      return Promise.resolve(addresses);
    });
    assert.ok(performance.now() - began < 2000, "the silent one had its share of the time");
    const peer = await listener.accept();
    await transport.write(Uint8Array.of(1), 1000);
    assert.equal(hex(await peer.receive(1)), "01");
    assert.equal(transport.peer, `pacs.test:${listener.port}`);
    transport.close();
    peer.close();
    await assert.rejects(
      connectTcp("pacs.test", 1, 10_000, NEVER, () => Promise.resolve(["127.0.0.3", "127.0.0.1"])),
      kind("refused", /pacs\.test:1 refused/),
    );
  } finally {
    for (const filler of fillers) filler.close();
    await listener.close();
  }
});

Deno.test("a name server that does not answer is a time-out, and an abort does not wait for it", async () => {
  const silent = () => new Promise<never>(() => {});
  await assert.rejects(
    connectTcp("pacs.test", 104, 80, NEVER, silent),
    kind("timeout", /pacs\.test could not be looked up within 0\.08 s/),
  );
  const stop = new AbortController();
  const connecting = connectTcp("pacs.test", 104, 60_000, stop.signal, silent);
  stop.abort("enough");
  await assert.rejects(connecting, (reason) => reason === "enough");
});

Deno.test("an abort ends a connection attempt, before it and in it", async () => {
  await assert.rejects(connectTcp("127.0.0.1", 1, 5000, AbortSignal.abort("enough")), (reason) => {
    assert.equal(reason, "enough");
    return true;
  });
});

Deno.test("the peer is named as host and port, an IPv6 address in brackets", () => {
  const idle = { read: () => Promise.resolve(null), write: () => Promise.resolve(0), close() {} };
  assert.equal(new Transport(idle, "10.0.0.1", 104).peer, "10.0.0.1:104");
  assert.equal(new Transport(idle, "fe80::1", 104).peer, "[fe80::1]:104");
});
