/*
 * Messages on their way to real audit servers: over each protocol, while the server goes away and comes back.
 */

import assert from "node:assert/strict";
import { Courier } from "../../src/audit/courier.ts";
import { AuditStore } from "../../src/audit/store.ts";
import { syslogMessage } from "../../src/audit/syslog.ts";
import { AuditSendError, sendMessages } from "../../src/audit/transport.ts";
import { systemClock } from "../../src/clock.ts";
import type { AuditConfig } from "../../src/config/audit.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { Authority, certificateFor, writeMade } from "../helpers/certificates.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SyslogServer, type SyslogServerOptions } from "../helpers/syslog_server.ts";
import { until } from "../helpers/until.ts";

const NEVER = new AbortController().signal;

function configFor(
  { port }: { readonly port: number },
  protocol: AuditConfig["protocol"] = "tcp",
  more: Partial<AuditConfig> = {},
): AuditConfig {
  return {
    host: protocol === "tls" ? "localhost" : "127.0.0.1",
    port,
    protocol,
    caFile: null,
    certificate: null,
    site: null,
    enterpriseSiteId: null,
    patientData: true,
    keepBytes: 100_000_000,
    ...more,
  };
}

function message(n: number, more = ""): string {
  const sender = { host: "h", application: "a", process: 1 };
  return syslogMessage(`<x n="${n}"/>${more}`, sender, Date.now(), "notice");
}

function numbers(server: SyslogServer): number[] {
  return server.messages.map(({ xml }) => Number(/n="(\d+)"/.exec(xml)![1]));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

/** A store with a courier, both stopped in the end. */
function house(directory: string, config: AuditConfig, said: string[] = []) {
  const store = AuditStore.open({
    files: realFileSystem,
    directory,
    clock: systemClock,
    keepBytes: config.keepBytes,
    changed: () => courier.wake(),
    report: (text) => said.push(text),
    dropped: () => {},
  });
  // Waits are a fiftieth: what is looked at is what is sent.
  const clock = {
    ...systemClock,
    after: (ms: number, call: () => void) => systemClock.after(ms / 50, call),
  };
  const note = (text: string) => said.push(text);
  const courier = new Courier({
    clock,
    store,
    config,
    random: () => 0.5,
    warn: note,
    info: note,
  });
  return {
    store,
    courier,
    said,
    async [Symbol.asyncDispose]() {
      await store.flush();
      await courier.stop(500);
      await store.close();
    },
  };
}

for (const protocol of ["udp", "tcp", "tls"] as const) {
  Deno.test(`${protocol}: 2,500 messages arrive, each once, in order and whole`, async () => {
    await using scratch = await Scratch.make();
    const tls = await certificateFor(scratch.path, "localhost");
    await using server = await SyslogServer.start({ protocol, tls });
    const config = configFor(server, protocol, protocol === "tls" ? { caFile: tls.issuer } : {});
    await using all = house(scratch.folder("audit"), config);
    for (let n = 0; n < 2_500; n++) all.store.append(message(n, "\u65e5&".repeat(n % 300)));
    await server.has(2_500);
    assert.deepEqual(numbers(server), upTo(2_500));
    assert.deepEqual(server.faults, []);
    await until(() => all.store.oldest === null, 5_000, "an empty store");
    assert.ok(server.messages.every(({ messageId }) => messageId === "DICOM+RFC3881"));
  });
}

Deno.test("tcp: what comes while the server is away arrives when it is back, complete and in order", async () => {
  await using scratch = await Scratch.make();
  const first = await SyslogServer.start({ protocol: "tcp" });
  const { port } = first;
  await using all = house(scratch.folder("audit"), configFor({ port }));
  for (let n = 0; n < 10; n++) all.store.append(message(n));
  await first.has(10);
  await until(() => all.store.oldest === null, 5_000, "an empty store");
  await first.stop();
  for (let n = 10; n < 1_500; n++) all.store.append(message(n));
  await until(() => all.courier.trouble !== null, 5_000, "a failure");
  await using second = await SyslogServer.start({ protocol: "tcp", port });
  await until(() => all.store.oldest === null, 15_000, "an empty store");
  // The last batch before the outage comes again: the server may have ended before it had written it down.
  const again = numbers(second).indexOf(10);
  assert.ok(again <= 10, `${again} messages came again`);
  assert.deepEqual(numbers(second), upTo(1_500).slice(10 - again));
  assert.deepEqual(numbers(first), upTo(10));
  await until(() => all.courier.trouble === null, 5_000, "no trouble");
  assert.equal(all.said.length, 2, all.said.join("; "));
});

Deno.test("tcp: a server that breaks connections off in the middle gets what it did not read again", async () => {
  await using scratch = await Scratch.make();
  const cut = await (async () => {
    await using server = await SyslogServer.start({ protocol: "tcp", cutsAfter: 100_000 });
    await using all = house(scratch.folder("audit"), configFor(server));
    for (let n = 0; n < 1_000; n++) all.store.append(message(n, "x".repeat(1_000)));
    await until(() => server.connections >= 3, 10_000, "three connections");
    return server;
  })();
  const { port } = cut;
  await using server = await SyslogServer.start({ protocol: "tcp", port });
  await using _all = (() => {
    const all = house(scratch.at("audit"), configFor({ port }));
    all.courier.wake();
    return all;
  })();
  const found = () => [...new Set([...numbers(cut), ...numbers(server)])];
  await until(() => found().length === 1_000, 15_000, () => `1,000: ${found().length} are there`);
  assert.deepEqual(found(), upTo(1_000));
});

Deno.test("tcp: a server that reads and never closes has every message at least once, at most twice, and no end is waited for", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp", keepsOpen: true });
  const store = AuditStore.open({
    files: realFileSystem,
    directory: scratch.folder("audit"),
    clock: systemClock,
    keepBytes: 1e8,
    changed: () => courier.wake(),
    report: () => {},
    dropped: () => {},
  });
  const courier: Courier = new Courier({
    clock: systemClock,
    store,
    config: configFor(server),
    random: Math.random,
    warn: () => {},
    info: () => {},
    // As sendMessages says of such a server, without the ten seconds it waits.
    send: async (config, messages) => {
      const late = new AbortController();
      setTimeout(() => late.abort(), 200);
      await sendMessages(config, messages, late.signal).catch(() => {});
      return "unanswered";
    },
  });
  for (let n = 0; n < 50; n++) store.append(message(n));
  await store.flush();
  await until(() => store.oldest === null, 10_000, "an empty store");
  await courier.stop(500);
  await store.close();
  const counts = new Map<number, number>();
  for (const n of numbers(server)) counts.set(n, (counts.get(n) ?? 0) + 1);
  assert.deepEqual([...counts.keys()], upTo(50));
  assert.ok([...counts.values()].every((count) => count <= 2));
});

Deno.test("tls: nothing is sent to a server whose certificate is of another issuer or for another name", async () => {
  await using scratch = await Scratch.make();
  const right = await certificateFor(scratch.folder("right"), "localhost");
  const other = await certificateFor(scratch.folder("other"), "localhost");
  const elsewhere = await certificateFor(scratch.folder("elsewhere"), "elsewhere.example");
  const attempts: readonly (readonly [SyslogServerOptions, string | null])[] = [
    [{ protocol: "tls", tls: right }, other.issuer],
    [{ protocol: "tls", tls: right }, null],
    [{ protocol: "tls", tls: elsewhere }, elsewhere.issuer],
  ];
  for (const [options, caFile] of attempts) {
    await using server = await SyslogServer.start(options);
    const config = configFor(server, "tls", { caFile });
    await assert.rejects(sendMessages(config, [message(1)], NEVER), (error: Error) => {
      assert.ok(error instanceof AuditSendError);
      assert.match(error.message, /localhost, port \d+ \(tls\): .*certificate/i);
      return true;
    });
    assert.equal(server.messages.length, 0);
  }
});

Deno.test("tls: a server that asks for our certificate takes messages by the right one; else nothing counts as sent", async () => {
  await using scratch = await Scratch.make();
  const authority = await Authority.make();
  const stranger = await Authority.make();
  const issue = async (from: Authority, usage: "server" | "client", name: string) =>
    writeMade(scratch.path, name, await from.issue(usage, ["localhost"]));
  const issuer = writeMade(scratch.path, "ca", authority.made).certificate;
  const own = await issue(authority, "server", "own");
  const { createServer } = await import("node:tls");
  let text = "";
  const server = createServer({
    cert: Deno.readTextFileSync(own.certificate),
    key: Deno.readTextFileSync(own.key),
    ca: Deno.readTextFileSync(issuer),
    requestCert: true,
    rejectUnauthorized: true,
  }, (socket) => {
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const config = configFor({ port }, "tls", { caFile: issuer });
  const send = ({ certificate, key }: { certificate: string; key: string }) =>
    sendMessages(
      { ...config, certificate: { certificateFile: certificate, keyFile: key } },
      [message(1)],
      NEVER,
    );
  try {
    // TLS 1.3 lets us write before the server has looked at what we showed.
    await assert.rejects(sendMessages(config, [message(1)], NEVER), AuditSendError);
    await assert.rejects(send(await issue(stranger, "client", "strange")), AuditSendError);
    await assert.rejects(send(await issue(authority, "server", "usage")), AuditSendError);
    assert.equal(text, "");
    assert.equal(await send(await issue(authority, "client", "right")), "taken");
    assert.match(text, /^\d+ <85>1 /);
  } finally {
    server.close();
  }
});

Deno.test("tcp: a server that closes whoever it does not know at once has been sent nothing", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closing = (async () => (await listener.accept()).close())();
  const config = configFor(listener.addr as Deno.NetAddr);
  await assert.rejects(sendMessages(config, [message(1)], NEVER), AuditSendError);
  await closing;
  listener.close();
});

Deno.test("a file of a certificate that is not there is named, with its key of the configuration", async () => {
  await using scratch = await Scratch.make();
  const config = configFor({ port: 1 }, "tls", { caFile: scratch.at("none.pem") });
  await assert.rejects(sendMessages(config, [message(1)], NEVER), /none\.pem \(audit\.ca_file\)/);
});

Deno.test("a stop does not wait for a server that is away, and what waits is there at the next start", async () => {
  await using scratch = await Scratch.make();
  const gone = await SyslogServer.start({ protocol: "tcp" });
  const { port } = gone;
  await gone.stop();
  const begun = performance.now();
  {
    await using all = house(scratch.folder("audit"), configFor({ port }));
    for (let n = 0; n < 5; n++) all.store.append(message(n));
  }
  assert.ok(performance.now() - begun < 10_000);
  await using server = await SyslogServer.start({ protocol: "tcp", port });
  await using all = house(scratch.at("audit"), configFor({ port }));
  all.courier.wake();
  await server.has(5);
  assert.deepEqual(numbers(server), upTo(5));
});

Deno.test("tls: a server that ends connections without close_notify, as rsyslog does, has taken what it read", async () => {
  await using scratch = await Scratch.make();
  const tls = await certificateFor(scratch.path, "localhost");
  const { createServer } = await import("node:tls");
  let text = "";
  const server = createServer({
    cert: Deno.readTextFileSync(tls.certificate),
    key: Deno.readTextFileSync(tls.key),
  }, (socket) => {
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  // In front of it, what passes everything on but the server's end.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const relayed = relay(listener, port, () => text !== "");
  try {
    const config = configFor(listener.addr as Deno.NetAddr, "tls", { caFile: tls.issuer });
    assert.equal(await sendMessages(config, [message(1)], NEVER), "taken");
    await relayed;
    assert.match(text, /^\d+ <85>1 /);
  } finally {
    listener.close();
    server.close();
  }
});

/** Passes one connection on, and ends it at the client's close_notify, without one of the server's. */
async function relay(
  listener: Deno.Listener,
  port: number,
  hasRead: () => boolean,
): Promise<void> {
  const client = await listener.accept();
  const server = await Deno.connect({ hostname: "127.0.0.1", port });
  const back = (async () => {
    const bytes = new Uint8Array(65_536);
    for (let n; (n = await server.read(bytes)) !== null;) {
      // Anything so short is an alert.
      if (n > CLOSE_NOTIFY) await client.write(bytes.subarray(0, n));
    }
  })().catch(() => {});
  const bytes = new Uint8Array(65_536);
  for (let n; (n = await client.read(bytes)) !== null;) {
    await server.write(bytes.subarray(0, n));
    // Before the message it is a part of the handshake.
    if (n <= CLOSE_NOTIFY && hasRead()) break;
  }
  client.close();
  await server.closeWrite();
  await back;
  server.close();
}

/** A close_notify of TLS 1.3 has 24 bytes, of 1.2 31. */
const CLOSE_NOTIFY = 40;
