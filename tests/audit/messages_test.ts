/*
 * What audit messages say: valid by the schema whatever stands in them, with what their tables ask for.
 */

import assert from "node:assert/strict";
import {
  applicationActivity,
  configurationChanged,
  type Gathered,
  instancesMessage,
  lockedOut,
  nodeRejected,
  recording,
  userAuthentication,
} from "../../src/audit/events.ts";
import { type AuditMessage, auditXml } from "../../src/audit/message.ts";
import { LONGEST_MESSAGE, syslogMessage, timeOfMessage } from "../../src/audit/syslog.ts";
import { auditOf, readAudit } from "../helpers/audit_schema.ts";

const AT = Date.UTC(2026, 10, 26, 7, 30, 1, 5);
const US = { aeTitle: "FORWARDER", process: 4711, host: "node1" };
const SOURCE = { site: "SITE", enterpriseSiteId: "HOSPITAL" };
const CT = "1.2.840.10008.5.1.4.1.1.2";
const DEEDS = [
  "received",
  "begun",
  "sent",
  "failed",
  "retry",
  "hold",
  "release",
  "remove",
  "download",
] as const;

/** Everything that has ever upset a reader of XML or of lines, in one value. */
const HOSTILE = [
  `<&>"']]><!--`,
  "\0\x01\t\r\n\x1b[2J\x7f\x85",
  "\ud800 \udfff \ufffe\uffff\u2028\u202e",
  "😀é日本",
  "&#0;%00${x}",
  `" UserIsRequestor="true`,
].join("");

function gathered(deed: Gathered["deed"], more: Partial<Gathered> = {}): Gathered {
  return {
    deed,
    place: { kind: "node", aeTitles: ["CT1"], address: "10.0.0.7" },
    by: "",
    facts: { studyInstanceUid: "1.2.3", patientId: "P1", patientName: "Doe^Jane" },
    classes: { [CT]: 3 },
    accessions: ["A1"],
    first: AT - 5000,
    last: AT,
    reason: "",
    ...more,
  };
}

function everyKind(text: string, classes: Record<string, number> = { [CT]: 3 }): AuditMessage[] {
  const us = { ...US, aeTitle: text, host: text };
  const facts = { studyInstanceUid: text, patientId: text, patientName: text };
  const accessions = Array.from({ length: 10 }, (_, n) => `${text}${n}`);
  const place = { kind: "node", aeTitles: [text], address: text } as const;
  const folder = { kind: "folder", aeTitles: [], address: text } as const;
  const of = (deed: Gathered["deed"], more: Partial<Gathered> = {}) =>
    instancesMessage(
      gathered(deed, { place, by: text, facts, accessions, classes, reason: text, ...more }),
      us,
      true,
    );
  return [
    applicationActivity("start", us, AT),
    applicationActivity("stop", us, AT),
    ...DEEDS.map((deed) => of(deed)),
    of("sent", { place: folder }),
    of("failed", { place: folder }),
    nodeRejected({ calling: text, called: text, host: text, why: text, times: 3 }, us, AT),
    configurationChanged(
      { by: text, what: text, kind: "configuration", ok: true, details: Array(50).fill(text) },
      us,
      AT,
    ),
    configurationChanged({ by: text, what: text, kind: "function", ok: false }, us, AT),
    recording("started", text, us, AT),
    recording("stopped", text, us, AT),
    recording("dropped", text, us, AT),
    userAuthentication("login", text, true, us, AT),
    userAuthentication("login", text, false, us, AT),
    userAuthentication("logout", text, true, us, AT),
    lockedOut(text, 60, us, AT),
  ];
}

Deno.test("every kind of message is valid by the schema, with plain, empty and hostile texts", () => {
  for (const text of ["CT1", "", HOSTILE, HOSTILE.repeat(100)]) {
    for (const message of everyKind(text)) {
      const source = { site: text, enterpriseSiteId: text };
      const xml = auditXml(message, source);
      readAudit(xml);
      assert.ok(!/[\r\n]/.test(xml), "a message is one line");
    }
  }
});

Deno.test("the check of the schema finds what is wrong", () => {
  const good = auditXml(applicationActivity("start", US, AT), SOURCE);
  readAudit(good);
  const wrong: readonly (readonly [string | RegExp, string])[] = [
    [' EventDateTime="2026-11-26T07:30:01.005Z"', ""],
    ['EventActionCode="E"', 'EventActionCode="X"'],
    ['EventOutcomeIndicator="0"', 'EventOutcomeIndicator="1"'],
    [/<ActiveParticipant .*<\/ActiveParticipant>/, ""],
    ["<EventTypeCode", "<EventType"],
    ['AuditSourceID="SITE"', 'AuditSourceID="SITE" Foreign="1"'],
    ["</AuditMessage>", ""],
    ["SITE", "SI<TE"],
    ["SITE", "SI&TE"],
    ["SITE", "SI\u0001TE"],
    [' originalText="Application"', ""],
  ];
  for (const [what, instead] of wrong) {
    const bad = good.replace(what, instead);
    assert.notEqual(bad, good, String(what));
    assert.throws(() => readAudit(bad), Error, String(what));
  }
});

Deno.test("hostile texts change nothing but themselves: no attribute and no element comes out of them", () => {
  for (const [plain, hostile] of everyKind("x").map((one, n) => [one, everyKind(HOSTILE)[n]!])) {
    const names = (xml: string) => xml.match(/[A-Za-z-]+="|<\/?[A-Za-z]+/g)!.join();
    const shape = (message: AuditMessage) => names(auditXml(message, SOURCE));
    // A text may decide whether there is an address, or what kind of one.
    assert.equal(shape(hostile!), shape(plain!));
  }
});

Deno.test("no message is longer than what a server has to take, whatever stands in it", () => {
  const long = "<\u{1f600}&\u65e5\"'".repeat(500);
  const classes = Object.fromEntries(
    Array.from(
      { length: 40 },
      (_, n) => [`1.2.840.${"9".repeat(54)}.${10 + n}`.slice(0, 64), 1000],
    ),
  );
  const sender = { host: "h".repeat(300), application: "dicomforwarder", process: 4711 };
  for (const message of everyKind(long, classes)) {
    const xml = auditXml(message, { site: long.slice(0, 64), enterpriseSiteId: long.slice(0, 64) });
    const line = syslogMessage(xml, sender, AT, "notice");
    const bytes = new TextEncoder().encode(line).length;
    assert.ok(bytes <= LONGEST_MESSAGE, `${message.event.id.meaning}: ${bytes} bytes`);
    readAudit(xml);
  }
});

Deno.test("received: Instances Transferred by whom to us, with study, patient, SOP classes and counts (A.5.3.7)", () => {
  const audit = auditOf(auditXml(instancesMessage(gathered("received"), US, true), SOURCE));
  assert.equal(audit.event, "110104");
  assert.equal(audit.action, "C");
  assert.equal(audit.outcome, "0");
  assert.equal(audit.at, "2026-11-26T07:30:01.005Z");
  assert.deepEqual(audit.roles, ["110153", "110152"]);
  const [source, destination] = audit.participants;
  assert.equal(source!.get("UserID"), "CT1");
  assert.equal(source!.get("AlternativeUserID"), "AETITLES=CT1");
  assert.equal(source!.get("NetworkAccessPointID"), "10.0.0.7");
  assert.equal(source!.get("NetworkAccessPointTypeCode"), "2");
  assert.equal(destination!.get("UserID"), "4711");
  assert.equal(destination!.get("AlternativeUserID"), "AETITLES=FORWARDER");
  assert.equal(destination!.get("NetworkAccessPointTypeCode"), "1");
  assert.deepEqual([...audit.objects], [["110180", "1.2.3"], ["2", "P1"]]);
  assert.equal(audit.names.get("2"), "Doe^Jane");
  assert.deepEqual([...audit.classes], [[CT, 3]]);
  assert.deepEqual(audit.accessions, ["A1"]);
  assert.equal(audit.source.get("AuditSourceID"), "SITE");
  assert.equal(audit.source.get("AuditEnterpriseSiteID"), "HOSPITAL");
});

Deno.test("each deed has the event, action and outcome that the standard has for it", () => {
  const of = (message: AuditMessage) => {
    const { event, action, outcome, types } = auditOf(auditXml(message, SOURCE));
    return [event, action, outcome, ...types].join(" ");
  };
  const deed = (name: Gathered["deed"], more: Partial<Gathered> = {}) =>
    of(instancesMessage(gathered(name, more), US, true));
  const folder = { kind: "folder", aeTitles: [], address: "file:///archive" } as const;
  assert.equal(deed("begun"), "110102 E 0");
  assert.equal(deed("sent"), "110104 R 0");
  assert.equal(deed("failed"), "110104 R 8");
  assert.equal(deed("sent", { place: folder }), "110106 R 0");
  assert.equal(deed("download", { by: "web 10.0.0.5", place: folder }), "110106 R 0");
  assert.equal(deed("hold", { by: "cli" }), "110103 U 0");
  assert.equal(deed("release", { by: "cli" }), "110103 U 0");
  assert.equal(deed("retry", { by: "cli" }), "110103 U 0");
  assert.equal(deed("remove", { by: "cli" }), "110103 D 0");
  assert.equal(of(applicationActivity("start", US, AT)), "110100 E 0 110120");
  assert.equal(of(applicationActivity("stop", US, AT)), "110100 E 0 110121");
  const rejection = { calling: "X", called: "Y", host: "10.0.0.9", why: "no", times: 1 };
  assert.equal(of(nodeRejected(rejection, US, AT)), "110113 E 4 110126");
  assert.equal(of(userAuthentication("login", "::1", false, US, AT)), "110114 E 4 110122");
  assert.equal(of(userAuthentication("logout", "::1", true, US, AT)), "110114 E 0 110123");
  assert.equal(of(lockedOut("10.0.0.5", 60, US, AT)), "110113 E 8 110137");
});

Deno.test("without patient_data no message has a patient's name, and all have the patient ID", () => {
  for (const deed of DEEDS) {
    const xml = auditXml(instancesMessage(gathered(deed), US, false), SOURCE);
    assert.ok(!xml.includes("Doe"), xml);
    assert.equal(auditOf(xml).objects.get("2"), "P1");
    assert.ok(auditXml(instancesMessage(gathered(deed), US, true), SOURCE).includes("Doe^Jane"));
  }
});

Deno.test("a syslog header has facility 10, the message ID of the standard, and no character it may not have", () => {
  const sender = { host: "no de\u00e91\n", application: "dicom forwarder", process: 12 };
  const line = syslogMessage("<x/>", sender, AT, "notice");
  assert.equal(
    line,
    "<85>1 2026-11-26T07:30:01.005Z node1 dicomforwarder 12 DICOM+RFC3881 - \ufeff<x/>",
  );
  assert.ok(syslogMessage("<x/>", { ...sender, host: "" }, AT, "warning").startsWith("<84>1 "));
  assert.ok(
    syslogMessage("", { ...sender, host: "" }, AT, "notice").includes("Z - dicomforwarder"),
  );
  assert.equal(timeOfMessage(line), AT);
  assert.equal(timeOfMessage(line.slice(3)), undefined);
});
