/*
 * The audit trail of a running forwarder, as an audit server sees it: every instance in a message, over restarts, kills and
 * outages of the server, whatever modalities call themselves and their patients.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeFileMeta } from "../../src/dicom/part10.ts";
import { hashPassword } from "../../src/access/password.ts";
import { startArguments } from "../cli/run_cli.ts";
import { runWell } from "../helpers/child.ts";
import type { ReadAudit } from "../helpers/audit_schema.ts";
import { certificateFor } from "../helpers/certificates.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { STORESCP_AE, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { instanceOf, type TestInstance } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { SyslogServer } from "../helpers/syslog_server.ts";
import { until } from "../helpers/until.ts";

const RECEIVED = (audit: ReadAudit) => audit.event === "110104" && audit.action === "C";
const SENT = (audit: ReadAudit) => audit.event === "110104" && audit.action === "R";

function settingsFor(server: { readonly port: number }, more: Record<string, unknown> = {}) {
  return { audit: { host: "127.0.0.1", port: server.port, protocol: "tcp", ...more } };
}

function instances(count: number, study = "1.2.3", more = {}) {
  return Array.from(
    { length: count },
    (_, n) => instanceOf({ sopInstanceUid: `${study}.1.${n}`, studyUid: study, ...more }),
  );
}

/** Instances of a study in messages of one kind, repeated messages counted once. */
function counted(server: SyslogServer, kind: (audit: ReadAudit) => boolean, study: string): number {
  const distinct = new Map(server.messages.map(({ xml }, n) => [xml, server.audits()[n]!]));
  let sum = 0;
  for (const audit of distinct.values()) {
    if (!kind(audit) || audit.objects.get("110180") !== study) continue;
    for (const count of audit.classes.values()) sum += count;
  }
  return sum;
}

Deno.test("a study in and out is start, received, begun, sent, exported and stop, with whose it is and how many", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  await using sink = new Sink();
  {
    await using forwarder = await Forwarder.start(scratch.path, {
      ...settingsFor(server, { site: "CT room", enterprise_site_id: "St. Anna" }),
      destinations: [
        nodeAt("pacs", sink.port),
        { type: "directory", name: "folder", path: "folder" },
      ],
    });
    const whose = { patientId: "P-7", patientName: "M\xfcller^Eva", accessionNumber: "ACC1" };
    await sendAll(forwarder.port, instances(40, "1.2.77", whose), { calling: "CT1" });
    await forwarder.delivered("pacs", 40);
    await forwarder.delivered("folder", 40);
    const received = await server.says(RECEIVED);
    assert.deepEqual([...received.classes], [["1.2.840.10008.5.1.4.1.1.2", 40]]);
    assert.equal(received.participants[0]!.get("UserID"), "CT1");
    assert.equal(received.participants[0]!.get("NetworkAccessPointID"), "127.0.0.1");
  }
  const audits = server.audits();
  const of = (...events: string[]) => audits.filter(({ event }) => events.includes(event));
  assert.deepEqual(of("110100").map(({ types }) => types), [["110120"], ["110121"]]);
  assert.equal(audits[0]!.types[0], "110120");
  assert.equal(audits.at(-1)!.types[0], "110121");
  for (const kind of [RECEIVED, SENT, (audit: ReadAudit) => audit.event === "110102"]) {
    assert.equal(counted(server, kind, "1.2.77"), 40);
  }
  assert.equal(counted(server, ({ event }) => event === "110106", "1.2.77"), 40);
  const [sent] = audits.filter(SENT);
  assert.equal(sent!.participants[1]!.get("AlternativeUserID"), `AETITLES=${STORESCP_AE}`);
  for (const audit of of("110102", "110104", "110106")) {
    assert.equal(audit.objects.get("2"), "P-7");
    assert.equal(audit.names.get("2"), "M\xfcller^Eva");
    assert.deepEqual(audit.accessions, ["ACC1"]);
    assert.equal(audit.source.get("AuditSourceID"), "CT room");
    assert.equal(audit.source.get("AuditEnterpriseSiteID"), "St. Anna");
  }
  assert.ok(audits.length <= 12, `${audits.length} messages are not one an instance`);
  assert.deepEqual(server.faults, []);
});

Deno.test("storescu's study over TLS to the audit server, patient data switched off", async () => {
  await using scratch = await Scratch.make();
  const tls = await certificateFor(scratch.path, "localhost");
  await using server = await SyslogServer.start({ protocol: "tls", tls });
  await using sink = new Sink();
  const CANARY = "CANARY^NAME";
  await using forwarder = await Forwarder.start(scratch.path, {
    audit: { host: "localhost", port: server.port, ca_file: tls.issuer, patient_data: false },
    destinations: [nodeAt("pacs", sink.port)],
  });
  await sendAll(forwarder.port, instances(3, "1.2.5", { patientName: CANARY, patientId: "P5" }));
  const file = scratch.at("one.dcm");
  const other = instanceOf({ sopInstanceUid: "1.2.6.1", studyUid: "1.2.6", patientName: CANARY });
  Deno.writeFileSync(file, part10Of(other));
  assert.equal((await storescu(forwarder.port, ["-aet", "MOD1"], [file])).code, 0);
  await server.says((audit) => RECEIVED(audit) && audit.objects.get("110180") === "1.2.6");
  await forwarder.delivered("pacs", 4);
  await forwarder.stop();
  assert.equal(counted(server, RECEIVED, "1.2.5"), 3);
  assert.equal(counted(server, SENT, "1.2.6"), 1);
  assert.ok(server.messages.every(({ xml }) => !xml.includes("CANARY")));
  assert.deepEqual(server.faults, []);
});

Deno.test("who is turned away is told at once, a thousand tries are a few messages", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  await using forwarder = await Forwarder.start(scratch.path, {
    ...settingsFor(server),
    destinations: [{ type: "directory", name: "folder", path: "folder" }],
    allowed_calling_ae_titles: ["CT1"],
  });
  for (let n = 0; n < 100; n++) {
    await assert.rejects(Sender.open(forwarder.port, { calling: "STRANGER" }));
  }
  await assert.rejects(Sender.open(forwarder.port, { calling: "<\"&'>]]>" }));
  const alert = await server.says(({ event }) => event === "110113");
  assert.deepEqual(alert.types, ["110126"]);
  assert.equal(alert.outcome, "4");
  assert.match(alert.description, /STRANGER is not in allowed_calling_ae_titles/);
  assert.equal(alert.participants[1]!.get("UserID"), "STRANGER");
  await forwarder.stop();
  const alerts = server.audits().filter(({ event }) => event === "110113");
  assert.deepEqual(alerts.map((one) => one.participants[1]!.get("UserID")), [
    "STRANGER",
    "<\"&'>]]>",
    "STRANGER",
  ]);
});

Deno.test("whatever patients, accessions and modalities are called, every message is valid, whole and says it", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  await using forwarder = await Forwarder.start(scratch.path, {
    ...settingsFor(server),
    destinations: [{ type: "directory", name: "folder", path: "folder" }],
  });
  const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  const names: readonly (readonly [string, string, string | undefined])[] = [
    ['"/><AuditMessage>', '"/><AuditMessage>', undefined],
    ["</AuditMessage>\n<85>1 - - - - - -", "</AuditMessage>\ufffd<85>1 - - - - - -", undefined],
    ["a\0b\x1b[2J\x7f", "a\ufffdb\ufffd[2J\ufffd", undefined],
    [utf8("\u5c71\u7530^\u{1f600}&amp;"), "\u5c71\u7530^\u{1f600}&amp;", "ISO_IR 192"],
    ["\xff\xfe\xed\xa0\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd", "ISO_IR 192"],
    ["x".repeat(1000), `${"x".repeat(330)}...`, undefined],
    ["]]>&#0;&lt;%n%s${jndi:ldap://x}", "]]>&#0;&lt;%n%s${jndi:ldap://x}", undefined],
  ];
  for (const [n, [patientName, , characterSet]] of names.entries()) {
    const more = {
      patientName,
      patientId: patientName.slice(0, 64),
      accessionNumber: patientName.slice(0, 16),
    };
    const set = characterSet === undefined ? {} : { characterSet };
    await sendAll(forwarder.port, instances(2, `1.2.60.${n}`, { ...more, ...set }), {
      calling: `<&"'>A${n}`,
    });
  }
  await forwarder.delivered("folder", 2 * names.length);
  await forwarder.stop();
  const received = server.audits().filter(RECEIVED);
  for (const [n, [, told]] of names.entries()) {
    const audit = received.find(({ objects }) => objects.get("110180") === `1.2.60.${n}`);
    assert.equal(audit?.names.get("2"), told);
    assert.equal(audit?.participants[0]?.get("UserID"), `<&"'>A${n}`);
    assert.equal(counted(server, RECEIVED, `1.2.60.${n}`), 2);
    assert.equal(counted(server, ({ event }) => event === "110106", `1.2.60.${n}`), 2);
  }
  assert.deepEqual(server.faults, []);
});

Deno.test("what a person does is told: hold, release, remove, retry, pause, download, login", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  const settings = {
    ...settingsFor(server),
    destinations: [nodeAt("pacs", 1)],
    web: {
      enabled: true,
      port: 0,
      password_hash: await hashPassword("correct horse battery"),
    },
  };
  await using forwarder = await Forwarder.start(scratch.path, settings, { page: true });
  const base = `http://127.0.0.1:${await forwarder.daemon.pagePort()}/api/v1`;
  let cookie = "";
  let csrf = "";
  const post = async (path: string, body: unknown) => {
    const answer = await fetch(base + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Cookie: cookie },
      body: JSON.stringify(body),
    });
    const [given] = answer.headers.get("set-cookie")?.split(";") ?? [];
    if (given !== undefined) cookie = given;
    return { status: answer.status, body: await answer.json() };
  };
  const token = async () => {
    csrf = (await (await fetch(`${base}/session`, { headers: { Cookie: cookie } })).json()).csrf;
  };
  await token();
  assert.equal((await post("/login", { password: "wrong password" })).status, 401);
  assert.equal((await post("/login", { password: "correct horse battery" })).status, 200);
  await token();
  await sendAll(forwarder.port, instances(6, "1.2.9", { patientId: "P9" }));
  await server.says(RECEIVED);
  const study = (await forwarder.queue.queue({ limit: 1 })).items[0]!;
  const { id } = study;
  const selection = { state: "queued", destination: "pacs" };
  assert.equal((await post("/destinations/pacs/pause", {})).status, 200);
  assert.equal((await post("/queue/hold", selection)).body.done, 6);
  const file = await fetch(`${base}/queue/${id}/pacs/file`, { headers: { Cookie: cookie } });
  assert.equal(file.status, 200);
  await file.body?.cancel();
  assert.equal((await post("/queue/release", { ...selection, state: "held" })).body.done, 6);
  assert.equal((await post("/queue/retry", { items: [{ id, destination: "pacs" }] })).body.done, 1);
  assert.equal((await post("/queue/remove", selection)).body.done, 6);
  await post("/logout", {});
  await forwarder.stop();
  const told = server.audits().map(({ event, action, outcome, types, description }) =>
    [event, action, outcome, ...types, description].join(" ").trim()
  );
  const wanted = [
    "110114 E 4 110122 Wrong password",
    "110114 E 0 110122",
    "110113 E 0 110132 Destination pacs paused",
    "110114 E 0 110123",
    "110103 U 0 Held back, for STORESCP",
    "110103 U 0 Released, for STORESCP",
    "110103 U 0 Put back into the queue, for STORESCP",
    "110103 D 0 Removed undelivered, for STORESCP",
    "110106 R 0",
  ];
  for (const one of wanted) {
    assert.ok(told.includes(one), `${one} in\n${told.join("\n")}`);
  }
  const removed = server.audits().find(({ action }) => action === "D")!;
  assert.equal(removed.participants[0]!.get("UserID"), "web 127.0.0.1");
  assert.equal(removed.participants[0]!.get("NetworkAccessPointID"), "127.0.0.1");
  assert.equal([...removed.classes.values()].reduce((sum, one) => sum + one), 6);
  assert.equal(removed.objects.get("110180"), "1.2.9");
  assert.equal(removed.objects.get("2"), "P9");
});

Deno.test("while the audit server is away images pass as ever, and everything arrives when it is back, over a restart, too", async () => {
  await using scratch = await Scratch.make();
  const away = await SyslogServer.start({ protocol: "tcp" });
  const { port } = away;
  await away.stop();
  await using sink = new Sink();
  const settings = { ...settingsFor({ port }), destinations: [nodeAt("pacs", sink.port)] };
  for (let n = 0; n < 3; n++) {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, instances(20, `1.2.${n + 1}`));
    await forwarder.delivered("pacs", 20);
  }
  assert.ok(filesIn(scratch.at("spool", "audit")).some((path) => path.endsWith(".log")));
  await using server = await SyslogServer.start({ protocol: "tcp", port });
  await using _forwarder = await Forwarder.start(scratch.path, settings);
  await server.says((audit) =>
    audit.types[0] === "110120" && counted(server, SENT, "1.2.3") === 20
  );
  for (let n = 0; n < 3; n++) {
    assert.equal(counted(server, RECEIVED, `1.2.${n + 1}`), 20);
    assert.equal(counted(server, SENT, `1.2.${n + 1}`), 20);
  }
  const starts = server.audits().filter(({ event }) => event === "110100").map(({ types }) =>
    types[0]
  );
  assert.deepEqual(starts.slice(0, 6), [
    "110120",
    "110121",
    "110120",
    "110121",
    "110120",
    "110121",
  ]);
  const times = server.audits().filter(({ event }) => event === "110100").map(({ at }) => at);
  assert.deepEqual(times, times.toSorted(), "in order");
});

Deno.test("a forwarder that is killed in the middle of an association leaves messages for what it had accepted", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  const settings = {
    ...settingsFor(server),
    destinations: [{ type: "directory", name: "folder", path: "folder" }],
  };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    const all = instances(30, "1.2.8", { patientId: "KILLED" });
    const sender = await Sender.open(daemon.port, { calling: "CT1" });
    for (const one of all) assert.equal(await sender.send(one), 0);
    // Noted each second.
    const note = scratch.at("spool", "audit", "open.json");
    await until(() => has(note, '"received"'), 10_000, "a note of what is gathered");
    daemon.signal("SIGKILL");
    await daemon.exit();
    sender.association.abort("over").catch(() => {});
  }
  assert.equal(counted(server, RECEIVED, "1.2.8"), 0);
  await using daemon = await DaemonProcess.start(scratch.path, settings);
  await server.says((audit) => RECEIVED(audit) && audit.objects.get("2") === "KILLED");
  assert.equal(counted(server, RECEIVED, "1.2.8"), 30);
  daemon.signal("SIGTERM");
  await daemon.exit();
});

Deno.test("what was in the spool before the start is told with whose it is", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  await using sink = new Sink();
  sink.away = true;
  const destinations = [nodeAt("pacs", sink.port)];
  {
    await using forwarder = await Forwarder.start(scratch.path, { destinations });
    await sendAll(
      forwarder.port,
      instances(5, "1.2.4", { patientId: "EARLIER", accessionNumber: "A4" }),
    );
  }
  sink.away = false;
  const settings = { ...settingsFor(server), destinations };
  await using forwarder = await Forwarder.start(scratch.path, settings);
  await forwarder.delivered("pacs", 5);
  await forwarder.stop();
  const sent = server.audits().filter(SENT);
  assert.equal(counted(server, SENT, "1.2.4"), 5);
  assert.ok(sent.every(({ objects }) => objects.get("2") === "EARLIER"));
  assert.ok(sent.every(({ classes }) => classes.has("1.2.840.10008.5.1.4.1.1.2")));
});

Deno.test("what commands of another process do is told, by the forwarder that runs or by the next one", async () => {
  await using scratch = await Scratch.make();
  await using server = await SyslogServer.start({ protocol: "tcp" });
  const settings = { ...settingsFor(server), destinations: [nodeAt("pacs", 1)] };
  const command = async (...words: string[]) => {
    const file = scratch.at("config.json");
    Deno.writeTextFileSync(file, JSON.stringify({ ...TEST_SETTINGS, ...settings }));
    const args = [...startArguments(), "queue", ...words, "--all", "--config", file];
    await runWell(Deno.execPath(), args, { NO_COLOR: "1" });
  };
  const said = (what: string) => (audit: ReadAudit) =>
    audit.event === "110103" && audit.description === `${what}, for STORESCP`;
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, instances(4, "1.2.31", { patientId: "HAND" }));
    await command("hold");
    const held = await server.says(said("Held back"));
    assert.equal(held.objects.get("2"), "HAND");
    assert.equal(held.participants[0]!.get("UserID"), "cli");
    assert.deepEqual([...held.classes.values()], [4]);
  }
  await command("remove", "--yes");
  await using _forwarder = await Forwarder.start(scratch.path, settings);
  const removed = await server.says(said("Removed undelivered"));
  assert.equal(removed.action, "D");
  assert.equal(removed.objects.get("110180"), "1.2.31");
  await until(
    () => filesIn(scratch.at("spool", "audit")).every((path) => !path.includes("hand-")),
    5_000,
    "no file left",
  );
});

Deno.test("the audit trail is switched on, to another server and off by a reload", async () => {
  await using scratch = await Scratch.make();
  await using first = await SyslogServer.start({ protocol: "tcp" });
  await using second = await SyslogServer.start({ protocol: "tcp" });
  const destinations = [{ type: "directory", name: "folder", path: "folder" }];
  await using forwarder = await Forwarder.start(scratch.path, { destinations });
  await forwarder.reload({ destinations, ...settingsFor(first) });
  await first.says(({ types }) => types[0] === "110134");
  await forwarder.reload({ destinations, ...settingsFor(second) });
  await sendAll(forwarder.port, instances(2));
  await second.says(RECEIVED);
  const changed = await second.says(({ types }) => types[0] === "110131");
  assert.equal(changed.participants[1]!.get("UserID"), "test");
  await forwarder.reload({ destinations });
  await second.says(({ types }) => types[0] === "110133");
  const before = second.messages.length;
  await sendAll(forwarder.port, instances(2, "1.2.55"));
  await forwarder.delivered("folder", 4);
  await forwarder.stop();
  assert.equal(second.messages.length, before);
  assert.equal(counted(first, RECEIVED, "1.2.3"), 0);
});

/** The instance as a file (PS3.10 §7.1). */
function part10Of({ sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet }: TestInstance) {
  const meta = encodeFileMeta({
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    sourceAeTitle: "MOD1",
    receivingAeTitle: "",
  });
  return concat([new Uint8Array(128), meta, dataSet]);
}

function has(path: string, text: string): boolean {
  try {
    return Deno.readTextFileSync(path).includes(text);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
