/*
 * The status page with TLS: what is served, to whom, by which certificate.
 */

import assert from "node:assert/strict";
import { connect } from "node:tls";
import { hashPassword } from "../../src/access/password.ts";
import { configFrom } from "../../src/config/load.ts";
import { startDaemon } from "../../src/daemon.ts";
import { certificatesInUse } from "../../src/daemon/certificates.ts";
import { lookAtCertificates } from "../../src/doctor/certificates.ts";
import { LiveCredentials } from "../../src/tls/credentials.ts";
import { controlClient } from "../../src/web/client.ts";
import { readControlFile } from "../../src/web/control_file.ts";
import { startWeb } from "../../src/web/server.ts";
import { runCli } from "../cli/run_cli.ts";
import { Authority, writeMade } from "../helpers/certificates.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { TEST_SETTINGS } from "../helpers/forwarder.ts";
import { captureLog } from "../helpers/log_file.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { until, within } from "../helpers/until.ts";
import { FakeControl } from "./fake_control.ts";
import { ask, change, open, send } from "./raw_http.ts";
import { WebHouse, webSettings } from "./web_house.ts";

const OVERVIEW = { path: "/api/v1/overview" };

Deno.test("who begins with http:// is told to use https://, and one who speaks neither is let go", async () => {
  await using house = await WebHouse.start(new FakeControl(), { tls: true });
  const { status, text } = await send(house.port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal(status, 400);
  assert.match(text, /use https:\/\//);
  using stranger = await Deno.connect({ hostname: "127.0.0.1", port: house.port });
  await stranger.write(Uint8Array.of(1, 0, 0, 0, 0, 205));
  const heard = new Uint8Array(10_000);
  while (await within(stranger.read(heard), 5000, "the end") !== null);
  assert.equal((await ask(house.place, OVERVIEW)).status, 200);
});

Deno.test("a session's cookie is never sent without TLS, and a change needs the page's own origin", async () => {
  const password = "correct horse battery";
  const web = { password_hash: await hashPassword(password) };
  await using house = await WebHouse.start(new FakeControl(), { tls: true, web });
  assert.equal((await ask(house.place, OVERVIEW)).status, 401);
  const { status, headers } = await change(house.place, "/login", { password });
  assert.equal(status, 200);
  const cookie = headers.get("set-cookie")!;
  assert.match(cookie, /; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/);
  const session = [["Cookie", cookie.split(";")[0]!]] as const;
  assert.equal((await ask(house.place, { ...OVERVIEW, headers: session })).status, 200);
  const foreign = await change(house.place, "/reload", {}, [
    ...session,
    ["Origin", "https://evil.example"],
  ]);
  assert.equal(foreign.status, 403);
});

Deno.test("a certificate that was replaced is shown to whoever comes then, and a broken one changes nothing", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  const before = await Authority.make();
  const files = writeMade(scratch.path, "page", await before.issue("server", ["127.0.0.1"]));
  await using house = await WebHouse.start(new FakeControl(), { web: { tls: files } });
  const answers = async ({ made }: Authority) => {
    try {
      await ask({ port: house.port, ca: made.certificate }, OVERVIEW);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.InvalidData) return false;
      throw error;
    }
  };
  assert.equal(await answers(before), true);
  const after = await Authority.make();
  writeMade(scratch.path, "page", await after.issue("server", ["127.0.0.1"]));
  await until(() => answers(after), 10_000, "the new certificate");
  assert.equal(await answers(before), false);
  Deno.writeTextFileSync(files.certificate, "no certificate");
  const logged = () =>
    filesIn(scratch.at("logs")).map((path) => Deno.readTextFileSync(path)).join();
  await until(
    async () => {
      assert.equal(await answers(after), true);
      return logged().includes("CERTIFICATES REFUSED");
    },
    10_000,
    "the broken file to be told of",
  );
  await house.stop();
  await lines();
});

Deno.test("where the certificate cannot be used there is no page until it can", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  const issuer = await Authority.make();
  const tls = { certificate: scratch.at("page.pem"), key: scratch.at("page.key") };
  const clock = new FakeClock();
  const settings = webSettings({ tls });
  const server = startWeb({ settings, control: new FakeControl(), clock, spoolDir: null });
  await until(() => clock.waiting === 1, 5000, "the next try to be planned");
  writeMade(scratch.path, "page", await issuer.issue("server", ["127.0.0.1"]));
  await clock.advance(30_000);
  const port = await within(server.listening, 5000, "the port");
  assert.equal((await ask({ port, ca: issuer.made.certificate }, OVERVIEW)).status, 200);
  await server.stop();
  const told = (await lines()).filter((line) => line.includes("No status page at"));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /page\.pem: there is no such file.*tried again every 30 s/);
});

Deno.test("no version older than the settings want is spoken", async () => {
  for (const [least, expected] of [["1.2", "TLSv1.2"], ["1.3", null]] as const) {
    await using scratch = await Scratch.make();
    const issuer = await Authority.make();
    const files = writeMade(scratch.path, "page", await issuer.issue("server", ["127.0.0.1"]));
    const web = { tls: { ...files, min_version: least } };
    await using house = await WebHouse.start(new FakeControl(), { web });
    const spoken = await new Promise<string | null>((resolve) => {
      const socket = connect({
        host: "127.0.0.1",
        port: house.port,
        ca: issuer.made.certificate,
        maxVersion: "TLSv1.2",
      }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on("error", () => resolve(null));
    });
    assert.equal(spoken, expected);
  }
});

Deno.test("live streams and several answers on a connection go over TLS as without", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { tls: true });
  using connection = await open(house.place);
  const encoder = new TextEncoder();
  const head = "HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const piece = new Uint8Array(65_536);
  const heard = async (wanted: RegExp) => {
    let text = "";
    while (!wanted.test(text)) {
      const length = await within(connection.read(piece), 5000, String(wanted));
      assert.notEqual(length, null, text);
      text += new TextDecoder().decode(piece.subarray(0, length!));
    }
  };
  for (let n = 0; n < 3; n++) {
    await connection.write(encoder.encode(`GET /healthz ${head}`));
    await heard(/\{"ok":true\}/);
  }
  await connection.write(encoder.encode(`GET /api/v1/events ${head}`));
  await heard(/event: overview/);
  control.step();
  await heard(/event: overview/);
});

Deno.test("a reload that brings a page that cannot be served leaves the one there is, and says why", async () => {
  await using scratch = await Scratch.make();
  const issuer = await Authority.make();
  const tls = writeMade(scratch.path, "page", await issuer.issue("server", ["127.0.0.1"]));
  const own = freePort();
  const settings = (web: Record<string, unknown>) =>
    configFrom({ ...TEST_SETTINGS, store_locally: true, web }, scratch.path);
  const daemon = await startDaemon(settings({ port: own, tls }), { page: true });
  try {
    const port = (await within(daemon.pagePort(), 10_000, "the page"))!;
    const place = { port, ca: issuer.made.certificate };
    const key = writeMade(scratch.path, "other", await issuer.issue("server", ["h"])).key;
    const bad = await daemon.reload(settings({ port: own, tls: { ...tls, key } }), "cli");
    assert.equal(bad.ok, false);
    assert.match(bad.lines.join("\n"), /is not the one of the certificate.*web stays as it was/);
    assert.equal((await ask(place, OVERVIEW)).status, 200);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const away = await daemon.reload(settings({ port: taken.addr.port, tls }), "cli");
    assert.match(
      away.lines.join("\n"),
      /another program listens on it.*web\.port.*web stays as it was/,
    );
    assert.equal((await ask(place, OVERVIEW)).status, 200);
    assert.match(String(daemon.configurationTrouble), /web stays as it was/);
    assert.equal(
      (await daemon.reload(settings({ port: own, tls, session_hours: 5 }), "cli")).ok,
      true,
    );
  } finally {
    await daemon.stop();
  }
});

Deno.test("who asks for a handshake again and again is not given any more", async () => {
  await using house = await WebHouse.start(new FakeControl(), { tls: true });
  let refused = 0;
  for (let n = 0; n < 700; n++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: house.port });
    // In clear: the answer costs nothing, a connection that was not admitted gets none.
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    try {
      if (await connection.read(new Uint8Array(1000)) === null) refused++;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      refused++;
    }
    connection.close();
  }
  assert.ok(refused > 0 && refused <= 110, `${refused} of 700`);
});

Deno.test("commands of the same user find a page with TLS, whatever name its certificate is for", async () => {
  await using scratch = await Scratch.make();
  const issuer = await Authority.make();
  const files = writeMade(scratch.path, "page", await issuer.issue("server", ["forwarder.lan"]));
  const web = { tls: files };
  await using _house = await WebHouse.start(new FakeControl(), { web, spoolDir: scratch.path });
  assert.match((await readControlFile(scratch.path))!.url, /^https:\/\/127\.0\.0\.1:\d+\/$/);
  const client = await controlClient(scratch.path);
  assert.equal((await client!.overview()).aeTitle, new FakeControl().overview().aeTitle);
});

Deno.test("with the permissions of the program itself, status and queue ask a page with TLS", async () => {
  await using scratch = await Scratch.make();
  const issuer = await Authority.make();
  const tls = writeMade(scratch.path, "page", await issuer.issue("server", ["forwarder.lan"]));
  await using daemon = await DaemonProcess.start(scratch.path, {
    pacs_host: "127.0.0.1",
    pacs_port: freePort(),
    web: { port: 0, tls },
  });
  await daemon.says(/Status page at https/);
  const { code, stdout, stderr } = await runCli(["status", "--json"], scratch.path);
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).source, "forwarder");
  assert.equal(stderr, "");
  assert.equal((await runCli(["queue", "list"], scratch.path)).code, 0);
});

Deno.test("reached from the network with TLS, the log warns of nothing", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.at("logs"));
  const web = { host: "0.0.0.0", password_hash: await hashPassword("correct horse battery") };
  await using house = await WebHouse.start(new FakeControl(), { tls: true, web });
  await house.stop();
  const told = await lines();
  assert.ok(told.some((line) => line.includes("Status page at https://")), told.join("\n"));
  assert.deepEqual(told.filter((line) => / WARN /.test(line)), []);
});

Deno.test("alarms and doctor look at the page's certificate and at those of the audit trail", async () => {
  await using scratch = await Scratch.make();
  const issuer = await Authority.make();
  const page = writeMade(scratch.path, "page", await issuer.issue("server", ["forwarder.lan"]));
  const own = writeMade(scratch.path, "own", await issuer.issue("client", [], "expired"));
  Deno.writeTextFileSync(scratch.at("ca.pem"), issuer.made.certificate);
  const config = configFrom({
    pacs_host: "127.0.0.1",
    web: { tls: page },
    audit: {
      host: "127.0.0.1",
      protocol: "tls",
      ca_file: "ca.pem",
      certificate_file: own.certificate,
      key_file: own.key,
    },
  }, scratch.path);
  const live = new LiveCredentials(config.web.tls!);
  const names = certificatesInUse(config, { "of the status page": live }).map(({ name }) => name);
  assert.deepEqual(names, [
    "server (of the status page)",
    "client (for the audit server)",
    "of the issuer issuer (for the audit server)",
  ]);
  const plain = configFrom({
    pacs_host: "h",
    web: { host: "0.0.0.0", password_hash: await hashPassword("correct horse battery") },
  }, scratch.path);
  assert.match(lookAtCertificates(plain, 0)[0]!.text, /0\.0\.0\.0 without TLS/);
  const findings = lookAtCertificates(config, Date.now()).map(({ text }) => text);
  assert.equal(findings.length, 3, findings.join("\n"));
  assert.match(
    findings[0]!,
    /^web\.tls: .*page\.pem.*expires in 1 days|^web\.tls: the certificate/,
  );
  assert.match(findings[1]!, /^tls of audit: .*own\.pem has expired/);
});
