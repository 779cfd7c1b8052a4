/*
 * The TLS port of a running forwarder: certificates that are replaced, settings that change, strangers that are slow.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { ServerTlsConfig } from "../../src/config/tls.ts";
import { configFrom, type DicomDestinationConfig } from "../../src/config/load.ts";
import { TlsError } from "../../src/daemon.ts";
import { testOwnPort } from "../../src/daemon/tls_self_test.ts";
import { TlsListener } from "../../src/ul/tls_listener.ts";
import { testConnection } from "../../src/dimse/try_connection.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { ServiceUser } from "../../src/dimse/scu.ts";
import { probeNode } from "../../src/doctor/dicom_node.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { LiveCredentials } from "../../src/tls/credentials.ts";
import type { Made } from "../../src/tls/make_certificate.ts";
import { Association } from "../../src/ul/association.ts";
import { planContexts } from "../../src/ul/negotiation.ts";
import { connectTo, type Peer } from "../../src/ul/connect.ts";
import { Authority, writeMade } from "../helpers/certificates.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { CT_IMAGE_STORAGE } from "../helpers/instances.ts";
import { OPTIONS } from "../helpers/served.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SyslogServer } from "../helpers/syslog_server.ts";
import { until } from "../helpers/until.ts";

const TIMEOUTS = { connectMs: 5000, associationMs: 5000, responseMs: 5000, releaseMs: 5000 };
const NEVER = new AbortController().signal;

class Site {
  readonly folder: string;
  readonly authority: Authority;

  private constructor(folder: string, authority: Authority) {
    this.folder = folder;
    this.authority = authority;
  }

  static async make(folder: string): Promise<Site> {
    const site = new Site(folder, await Authority.make());
    writeMade(folder, "ca", site.authority.made);
    writeMade(folder, "server", await site.server());
    writeMade(folder, "client", await site.authority.issue("client", []));
    return site;
  }

  server(): Promise<Made> {
    return this.authority.issue("server", ["127.0.0.1"]);
  }

  settings(more: Record<string, unknown> = {}): Record<string, unknown> {
    const tls = { port: 0, certificate: "server.pem", key: "server.key", ca: "ca.pem", ...more };
    return { tls, destinations: [nodeAt("pacs", 9)] };
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** How a modality reaches the forwarder; a new object each time, so that nothing is remembered. */
  modality(port: number, more: Partial<NonNullable<Peer["tls"]>> = {}): Peer {
    return {
      host: "127.0.0.1",
      port,
      tls: {
        ca: [this.at("ca.pem")],
        certificate: this.at("client.pem"),
        key: this.at("client.key"),
        keyPassphrase: null,
        serverName: null,
        verifyName: true,
        minVersion: "1.2",
        ...more,
      },
    };
  }

  async echo(port: number, more: Partial<NonNullable<Peer["tls"]>> = {}) {
    const titles = { aeTitle: "DICOMFORWARDER", callingAeTitle: "MODALITY" };
    return await testConnection(
      "forwarder",
      { ...this.modality(port, more), ...titles },
      TIMEOUTS,
      NEVER,
    );
  }
}

Deno.test("a certificate replaced while it runs is used by new connections, a broken one is not", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, site.settings());
  const port = forwarder.daemon.tlsPort!;
  assert.equal((await site.echo(port)).ok, true);
  const open = await connectTo(site.modality(port), 5000, NEVER);

  // By another authority: whoever trusts the old one alone sees at once which is used.
  const other = await Authority.make("other");
  writeMade(scratch.path, "other", other.made);
  const trusting = (name: string) => site.echo(port, { ca: [site.at(`${name}.pem`)] });
  writeMade(scratch.path, "server", await other.issue("server", ["127.0.0.1"]));
  await until(async () => (await trusting("other")).ok, 10_000, () => "the new certificate in use");
  assert.match((await trusting("ca")).steps.at(-1)!.text, /not trusted here/);

  Deno.writeTextFileSync(site.at("server.pem"), "no certificate");
  const seen = performance.now();
  while (performance.now() - seen < 2500) assert.equal((await trusting("other")).ok, true);

  writeMade(scratch.path, "server", await site.server());
  await until(async () => (await trusting("ca")).ok, 10_000, () => "the mended certificate in use");
  assert.equal(open.closed, false);
  open.close();
});

Deno.test("the TLS port comes, moves and goes by a reload, and a bad setting changes nothing", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  const plain = { destinations: [nodeAt("pacs", 9)] };
  await using forwarder = await Forwarder.start(scratch.path, plain);
  assert.equal(forwarder.daemon.tlsPort, undefined);

  assert.equal((await forwarder.reload(site.settings())).ok, true);
  const port = forwarder.daemon.tlsPort!;
  assert.equal((await site.echo(port)).ok, true);

  const refused = await forwarder.reload(site.settings({ key: "client.key" }));
  assert.equal(refused.ok, false);
  assert.match(refused.lines.join(), /is not the one of the certificate/);
  assert.equal((await site.echo(port)).ok, true);

  assert.equal((await forwarder.reload(site.settings({ min_version: "1.3" }))).ok, true);
  assert.equal(forwarder.daemon.tlsPort, port);
  assert.equal((await forwarder.reload(site.settings({ host: "127.0.0.2" }))).ok, true);
  const titles = { aeTitle: "DICOMFORWARDER", callingAeTitle: "MODALITY" };
  const moved = {
    ...site.modality(forwarder.daemon.tlsPort!, { serverName: "127.0.0.1" }),
    host: "127.0.0.2",
  };
  const there = await testConnection("forwarder", { ...moved, ...titles }, TIMEOUTS, NEVER);
  assert.equal(there.ok, true, JSON.stringify(there));

  const later = await forwarder.reload(site.settings({ only: true }));
  assert.match(later.lines.join(), /takes effect at the next start/);
  assert.equal((await forwarder.reload(plain)).ok, true);
  assert.equal(forwarder.daemon.tlsPort, undefined);
  assert.equal((await site.echo(port)).ok, false);
});

Deno.test("with tls.only nothing is listened on without TLS", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, site.settings({ only: true }));
  assert.equal(forwarder.port, forwarder.daemon.tlsPort);
  assert.equal((await site.echo(forwarder.port)).ok, true);
  const plain = await connectTo({ host: "127.0.0.1", port: forwarder.port }, 5000, NEVER);
  await plain.write(Uint8Array.of(1, 0, 0, 0, 0, 205, 0, 1, 0, 0), 1000);
  const answer = new Uint8Array(1);
  const count = await plain.read(answer, 5000, "answer");
  // An alert of TLS, or nothing: never a PDU.
  assert.ok(count === 0 || answer[0] === 0x15);
  plain.close();
});

Deno.test("silent strangers hold up neither the TLS port nor the plain one", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, {
    ...site.settings(),
    max_associations: 2,
    max_associations_per_host: 2,
  });
  const port = forwarder.daemon.tlsPort!;
  const silent: Deno.TcpConn[] = [];
  // Fewer than one address may have at a time: those are closed at once.
  for (let n = 0; n < 15; n++) silent.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  assert.equal((await site.echo(port)).ok, true);
  const plain = { host: "127.0.0.1", port: forwarder.port, aeTitle: "DICOMFORWARDER" };
  const answer = await testConnection(
    "plain",
    { ...plain, callingAeTitle: "MODALITY" },
    TIMEOUTS,
    NEVER,
  );
  assert.equal(answer.ok, true, JSON.stringify(answer));
  for (let n = 0; n < 10; n++) silent.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  const last = silent.at(-1)!;
  assert.equal(await last.read(new Uint8Array(1)).catch(() => null), null);
  for (const one of silent) one.close();
  await until(async () => (await site.echo(port)).ok, 5000, () => "the places to be free again");
});

Deno.test("certificates in use are told with their end, and files that cannot be used stop the start", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  {
    await using forwarder = await Forwarder.start(scratch.path, site.settings());
    await until(
      () => forwarder.daemon.alarms.active().some(({ text }) => /certificate/.test(text)),
      10_000,
      () => `an alarm: ${JSON.stringify(forwarder.daemon.alarms.active())}`,
    );
  }
  Deno.removeSync(site.at("server.key"));
  await assert.rejects(Forwarder.start(scratch.path, site.settings()), (error) => {
    assert.ok(error instanceof TlsError);
    assert.match(error.message, /server\.key: there is no such file/);
    return true;
  });
});

Deno.test("a port that lets strangers in is not served", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  const settings = (clientCertificate: ServerTlsConfig["clientCertificate"]): ServerTlsConfig => ({
    host: "127.0.0.1",
    port: 0,
    certificate: site.at("server.pem"),
    key: site.at("server.key"),
    keyPassphrase: null,
    ca: [site.at("ca.pem")],
    clientCertificate,
    minVersion: "1.2",
    only: false,
  });
  const really: readonly (readonly [ServerTlsConfig["clientCertificate"], RegExp | undefined])[] = [
    ["required", undefined],
    ["optional", /without a certificate/],
    ["none", /without a certificate/],
  ];
  for (const [how, words] of really) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const listener = new TlsListener(tcp, settings(how), new LiveCredentials(settings(how)));
    const tried = testOwnPort(listener, tcp.addr, settings("required"));
    if (words === undefined) await tried;
    else await assert.rejects(tried, words);
    listener.close();
  }
});

Deno.test("a sender that is cut off over TLS in the middle of an instance leaves nothing behind", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, site.settings());
  const port = forwarder.daemon.tlsPort!;
  const transport = await connectTo(site.modality(port), 5000, NEVER);
  const pair = { sopClassUid: CT_IMAGE_STORAGE, transferSyntaxUid: EXPLICIT_VR_LE };
  const contexts = planContexts([pair], false);
  const association = await Association.request(
    transport,
    "MODALITY",
    "DICOMFORWARDER",
    contexts,
    OPTIONS,
  );
  const length = 4_000_000;
  let read = 0;
  const half = {
    length,
    read(into: Uint8Array) {
      read += into.length;
      if (read > length / 2) transport.close();
    },
    vouch: () => true,
  };
  const user = new ServiceUser(association, 5000);
  await assert.rejects(user.store(contexts[0]!.id, CT_IMAGE_STORAGE, "1.2.3.4", half));
  await until(() => forwarder.associations === 0, 5000, () => "the association to be over");
  assert.equal(forwarder.destination("pacs").waiting, 0);
  assert.equal((await site.echo(port)).ok, true);
});

Deno.test("doctor finds a node over TLS, and says how to where the key is missing", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, site.settings());
  const tls = { ca: "ca.pem", certificate: "client.pem", key: "client.key" };
  const probe = async (more: Record<string, unknown>) => {
    const node = nodeAt("pacs", forwarder.daemon.tlsPort!, { ae_title: "DICOMFORWARDER", ...more });
    const config = configFrom({ destinations: [node] }, scratch.path);
    const found: Finding[] = [];
    await probeNode(
      config.destinations[0] as DicomDestinationConfig,
      {
        localAeTitle: "X",
        waiting: { pairs: [], seen: 0, all: true },
        sendTest: false,
        now: Date.now,
        uuid: () => crypto.randomUUID(),
      },
      (finding) => found.push(finding),
      NEVER,
    );
    return found;
  };
  const good = await probe({ tls });
  assert.ok(good.every(({ level }) => level !== "problem"), JSON.stringify(good));
  assert.ok(good.some(({ probe, level }) => probe === "echo" && level === "ok"));
  const plain = (await probe({})).at(-1)!;
  assert.match(plain.text, /expects TLS/);
  assert.match(plain.change!.text, /Set tls of the destination/);
  const stranger = (await probe({ tls: { ca: "client.pem" } })).at(-1)!;
  assert.match(stranger.text, /not trusted here/);
});

Deno.test("TLS on the plain port is told in words", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", 9)],
  });
  const result = await site.echo(forwarder.port);
  assert.equal(result.ok, false);
  assert.match(result.steps.at(-1)!.text, /does not speak TLS|speaks plain DICOM/);
});

Deno.test("who gets no TLS is in the audit trail as who is turned away", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch.path);
  await using server = await SyslogServer.start({ protocol: "tcp" });
  const audit = { host: "127.0.0.1", port: server.port, protocol: "tcp" };
  await using forwarder = await Forwarder.start(scratch.path, { ...site.settings(), audit });
  const stranger = await Deno.connect({
    hostname: "127.0.0.1",
    port: forwarder.daemon.tlsPort!,
  });
  await stranger.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const alert = await server.says(({ event, types }) =>
    event === "110113" && types.includes("110126")
  );
  stranger.close();
  assert.equal(alert.outcome, "4");
  assert.ok(alert.description.length > 20, alert.description);
});
