/*
 * What facts mean: the table of each judgement, and that every problem says what to change.
 */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import { judgeClock, MADE_AT } from "../../src/doctor/clock.ts";
import {
  Acceptance,
  judgeAcceptance,
  judgeWaiting,
  matrix,
  planProbes,
  SYNTAXES,
} from "../../src/doctor/contexts.ts";
import { judgeEchoes, judgeStored } from "../../src/doctor/dicom_node.ts";
import { judgeRoom, judgeSyncs, judgeTrial } from "../../src/doctor/disk.ts";
import {
  type Finding,
  type Level,
  ok,
  problem,
  Rank,
  warning,
  whatToChange,
  worst,
} from "../../src/doctor/finding.ts";
import { clientHello, judgeGreeting, recognise, type Speaker } from "../../src/doctor/greeting.ts";
import { type AddressTry, judgeLookup, judgeTries } from "../../src/doctor/reach.ts";
import { judgeFirewall, judgePort, judgeService } from "../../src/doctor/receiving.ts";
import { judgeFailedRequest } from "../../src/doctor/rejection.ts";
import { judgeConfigRights, judgeFolderRights } from "../../src/doctor/rights.ts";
import { concat } from "../../src/dicom/bytes.ts";
import { COMMON_STORAGE_CLASSES } from "../../src/dicom/sop_class.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { CT_IMAGE_STORAGE as CT } from "../helpers/instances.ts";

const J2K = "1.2.840.10008.1.2.4.90";
const MPEG4 = "1.2.840.10008.1.2.4.102";
const MR = "1.2.840.10008.5.1.4.1.1.4";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A problem that says nothing of what to change leaves its reader alone. */
function judged(finding: Finding, level: Level, text: RegExp, change?: RegExp): void {
  assert.equal(finding.level, level, finding.text);
  assert.match(finding.text, text);
  assert.doesNotMatch(finding.text, /\.$/);
  if (change !== undefined) assert.match(finding.change?.text ?? "", change);
  if (level === "problem") assert.notEqual(finding.change, undefined, finding.text);
}

Deno.test("what to change: problems before warnings, by rank, each once", () => {
  const change = (text: string, rank: number) => ({ text, rank });
  const findings = [
    warning("a", "a", change("later", Rank.Spool)),
    problem("b", "b", change("third", Rank.Sending)),
    problem("c", "c", change("first", Rank.Spool)),
    ok("d", "d"),
    problem("e", "e", change("second", Rank.Reaching)),
    problem("f", "f", change("first", Rank.Spool)),
  ];
  assert.deepEqual(whatToChange(findings), ["first", "second", "third", "later"]);
  assert.equal(worst(findings), "problem");
  assert.equal(worst([ok("a", "a"), warning("b", "b")]), "warning");
  assert.equal(worst([ok("a", "a")]), "ok");
});

Deno.test("a sync is judged by the images it lets a modality send in a second", () => {
  judged(judgeSyncs([1, 2, 300]), "ok", /takes 2\.0 ms.*slowest of 3 took 300 ms.*500 images/);
  judged(judgeSyncs([30, 30, 30]), "warning", /33 images a second/, /faster disk/);
  judged(judgeSyncs([200, 200, 200]), "problem", /5 images a second/, /faster disk/);
  judged(judgeSyncs([]), "unknown", /no sync/);
});

Deno.test("room is judged by the reserve", () => {
  judged(judgeRoom(0.5e9, 1e9), "problem", /500\.0 MB are free, 1\.0 GB.*nothing new/, /Make room/);
  judged(judgeRoom(2e9, 1e9), "warning", /2\.0 GB/, /Make room/);
  judged(judgeRoom(50e9, 1e9), "ok", /50\.0 GB/);
  judged(judgeRoom(undefined, 1e9), "unknown", /does not say/);
});

Deno.test("each way a folder can fail is told with what to change", () => {
  judged(judgeTrial("/s", "spool_dir", { kind: "works", syncs: [1] }), "ok", /read back/);
  judged(judgeTrial("/s", "spool_dir", { kind: "denied" }), "problem", /may not write/, /right/);
  judged(judgeTrial("/s", "spool_dir", { kind: "differs" }), "problem", /differently/, /Replace/);
  const fails = { kind: "fails", why: "no space left" } as const;
  judged(judgeTrial("/s", "spool_dir", fails), "problem", /no space left/, /spool_dir/);
});

Deno.test("rights of others are warnings, with the command that takes them away", () => {
  judged(judgeConfigRights("/c", 0o100640, true), "ok", /nobody else, nor be read/);
  judged(judgeConfigRights("/c", 0o100644, false), "ok", /changed by nobody else/);
  judged(judgeConfigRights("/c", 0o100644, true), "warning", /secrets/, /chmod o-r \/c/);
  judged(judgeConfigRights("/c", 0o100646, false), "warning", /change/, /chmod o-w \/c/);
  judged(judgeConfigRights("/c", undefined, true), "unknown", /not known/);
  judged(judgeFolderRights("/s", 0o40700, "images"), "ok", /closed/);
  judged(judgeFolderRights("/s", 0o40755, "images"), "warning", /images/, /chmod o-rx \/s/);
  judged(judgeFolderRights("/s", 0o40755, "settings"), "ok", /closed/);
  judged(judgeFolderRights("/s", 0o40777, "log"), "warning", /put files/, /chmod o-w/);
  judged(judgeFolderRights("/s", 0o41777, "log"), "ok", /closed/);
  judged(judgeFolderRights("/l", 0o40755, "patients"), "warning", /patients/, /chmod/);
});

Deno.test("a clock is wrong before this program was made, or against disk and spool", () => {
  const now = MADE_AT + 1e9;
  const good = { now, fileDifferenceMs: 3, youngest: now - 1000 };
  judged(judgeClock(good), "ok", /nothing here contradicts/);
  judged(judgeClock({ ...good, now: MADE_AT - 1 }), "problem", /before this program/, /NTP/);
  judged(judgeClock({ ...good, youngest: now + 3_600_000 }), "warning", /received at/, /NTP/);
  judged(judgeClock({ ...good, fileDifferenceMs: 90_000 }), "warning", /90 s away/, /NTP/);
  const little = { now, fileDifferenceMs: undefined, youngest: undefined };
  judged(judgeClock(little), "ok", /nothing/);
});

Deno.test("the port: ours, free with and without a forwarder, another program's", () => {
  const config = configFrom({ local_port: 11112, store_locally: true }, "/");
  judged(judgePort(config, { kind: "ours" }, true), "ok", /listens on port 11112/);
  judged(judgePort(config, { kind: "free" }, false), "warning", /is free/, /Start the forwarder/);
  judged(judgePort(config, { kind: "free" }, true), "problem", /nothing listens/, /Restart/);
  const taken = { kind: "trouble", why: "Port 11112 is in use by another program." } as const;
  judged(judgePort(config, taken, false), "problem", /another program/, /local_port/);
  judged(judgePort(config, undefined, true), "unknown", /any free port/);
});

Deno.test("the service: running, stopped, of another configuration, none", () => {
  const state = (state: string, config = "/c") => ({ state, config });
  judged(judgeService(state("running"), true, "/c"), "ok", /is running/);
  judged(judgeService(state("stopped"), false, "/c"), "problem", /stopped/, /service start/);
  judged(judgeService(state("running", "/other"), true, "/c"), "warning", /\/other/, /--config/);
  judged(judgeService(state("absent"), true, "/c"), "warning", /not as a service/, /install/);
  judged(judgeService(state("absent"), false, "/c"), "unknown", /not installed/);
  judged(judgeService(undefined, true, "/c"), "unknown", /no service manager/);
});

Deno.test("the firewall's rule is looked at for our port, as a whole number", () => {
  const rule = (port: string) => ({ kind: "rule", text: `LocalPort:   ${port}` }) as const;
  judged(judgeFirewall(rule("11112"), 11112, "windows"), "ok", /11112/);
  judged(judgeFirewall(rule("111123"), 11112, "windows"), "warning", /another port/, /install/);
  judged(judgeFirewall({ kind: "no-rule" }, 104, "windows"), "warning", /no rule/, /104/);
  judged(judgeFirewall({ kind: "unknown", why: "not known" }, 104, "linux"), "unknown", /known/);
});

Deno.test("a name is judged by its addresses, and by how long it takes", () => {
  assert.equal(judgeLookup("10.0.0.1", { addresses: ["10.0.0.1"], ms: 0, why: "" }), undefined);
  const lookup = (addresses: string[], ms: number, why = "") =>
    judgeLookup("pacs.site", { addresses, ms, why })!;
  judged(lookup(["10.0.0.1", "fd00::1"], 5), "ok", /pacs\.site is 10\.0\.0\.1, fd00::1/);
  judged(lookup(["10.0.0.1"], 4000), "warning", /slow/, /IP address/);
  judged(lookup([], 5, "ENOTFOUND"), "problem", /not known: ENOTFOUND/, /Correct the host name/);
});

Deno.test("addresses: what works, what does not, and which is tried first", () => {
  const tried = (address: string, result: AddressTry["result"], ms = 5): AddressTry => ({
    address,
    result,
    ms,
    why: result === "silent" ? "no answer within 2.0 s" : "",
  });
  const [only] = judgeTries("p", 104, [tried("10.0.0.1", "connected")]);
  judged(only!, "ok", /takes connections/);
  const [refused] = judgeTries("p", 104, [tried("10.0.0.1", "refused")]);
  judged(refused!, "problem", /nothing listens/, /Start the PACS/);
  const [silent] = judgeTries("p", 104, [tried("10.0.0.1", "silent")]);
  judged(silent!, "problem", /does not answer/, /firewalls/);
  const [reset] = judgeTries("p", 104, [tried("10.0.0.1", "reset")]);
  judged(reset!, "problem", /resets it at once/, /let this machine in/);
  const both = judgeTries("p", 104, [
    tried("fd00::1", "silent", 2000),
    tried("10.0.0.1", "connected"),
  ]);
  assert.deepEqual(both.map(({ level }) => level), ["unknown", "ok", "warning"]);
  judged(both[2]!, "warning", /IPv6 comes first.*IPv4 only.*2\.0 s/, /host to 10\.0\.0\.1/);
  const second = judgeTries("p", 104, [
    tried("10.0.0.1", "connected"),
    tried("fd00::1", "refused"),
  ]);
  assert.deepEqual(second.map(({ level }) => level), ["ok", "unknown"]);
});

Deno.test("first bytes tell who speaks, and hostile ones are escaped", () => {
  const table: [Uint8Array, Speaker][] = [
    [Uint8Array.of(0x15, 0x03, 0x03, 0, 2, 2, 70), "tls"],
    [Uint8Array.of(0x16, 0x03, 0x03, 0, 90), "tls"],
    [bytes("HTTP/1.1 400 Bad Request"), "http"],
    [bytes("<!DOCTYPE HTML>"), "http"],
    [bytes("SSH-2.0-OpenSSH_9"), "ssh"],
    [bytes("220 mail ESMTP"), "smtp or ftp"],
    [bytes("RFB 003.008"), "vnc"],
    [Uint8Array.of(0x0b, 0x4d, 0x53, 0x48), "hl7"],
    [Uint8Array.of(3, 0, 0, 19, 14, 208, 0), "remote desktop"],
    [Uint8Array.of(3, 0, 0, 0, 0, 4, 0, 1, 1, 7), "dicom"],
    [Uint8Array.of(2, 0, 0, 0, 0, 184), "dicom"],
    [Uint8Array.of(7, 0, 0, 0, 0, 4), "dicom"],
    [new Uint8Array(0), "silent"],
    [Uint8Array.of(0xff, 0xfb, 0x01), "unknown"],
  ];
  for (const [first, speaker] of table) assert.equal(recognise(first), speaker, String(first));
  const hostile = bytes("\x1b[2Jowned");
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(judgeGreeting("unknown", 1, hostile)!.text, /\x1b/);
  for (const speaker of ["dicom", "silent"] as const) {
    assert.equal(judgeGreeting(speaker, 1, hostile), undefined);
  }
});

Deno.test("the ClientHello is a TLS record of its length, and a blank line to a web server", () => {
  const hello = clientHello(new Uint8Array(28).fill(0xaa));
  const view = new DataView(hello.buffer);
  assert.equal(view.getUint8(0), 0x16);
  assert.equal(view.getUint16(3), hello.length - 5);
  assert.equal(view.getUint16(7), hello.length - 9);
  assert.match(new TextDecoder("latin1").decode(hello), /\r\n\r\n/);
});

const NODE = { host: "10.0.0.5", port: 104, aeTitle: "PACS", callingAeTitle: "FWD" };

function failed(
  error: AssociationError,
  first: Uint8Array = new Uint8Array(0),
  afterTls?: Uint8Array,
): Finding {
  return judgeFailedRequest({ error, node: NODE, ourAddress: "10.0.0.7", first, afterTls });
}

function rejected(result: number, source: number, reason: number): Finding {
  const reject = { type: 3, result, source, reason } as const;
  return failed(new AssociationError("rejected", "no", { reject }));
}

Deno.test("each reason of a rejection says what to change, and where", () => {
  judged(rejected(1, 1, 7), "problem", /does not answer to the AE title PACS/, /pacs_ae_title/);
  judged(
    rejected(1, 1, 3),
    "problem",
    /does not know us as FWD/,
    /FWD with the address 10\.0\.0\.7/,
  );
  judged(rejected(1, 1, 2), "problem", /application context/, /log of PACS/);
  judged(rejected(1, 2, 2), "problem", /version 1/, /log of PACS/);
  judged(rejected(2, 3, 1), "warning", /temporary congestion/, /number of associations/);
  judged(rejected(2, 3, 2), "warning", /local limit exceeded/, /number of associations/);
  judged(rejected(1, 1, 1), "problem", /no reason \(result 1/, /10\.0\.0\.7/);
  judged(rejected(2, 1, 1), "warning", /for now only/, /10\.0\.0\.7/);
  judged(rejected(1, 3, 7), "problem", /source 3, reason 7/, /log of PACS/);
  judged(rejected(9, 99, 255), "problem", /source 99/, /log of PACS/);
});

Deno.test("no answer is told apart by what came instead", () => {
  const error = (kind: AssociationError["kind"]) => new AssociationError(kind, `it ${kind}`);
  judged(failed(error("timeout")), "problem", /does not answer the association/, /Restart/);
  judged(failed(error("closed")), "problem", /closed/, /FWD \(ours\).*10\.0\.0\.7/);
  judged(failed(error("aborted")), "problem", /aborted/, /FWD \(ours\)/);
  judged(failed(error("protocol")), "problem", /breaks the protocol/, /port \(104\)/);
  judged(failed(error("protocol"), bytes("SSH-2.0")), "problem", /SSH server/, /port/);
  const alert = Uint8Array.of(0x15, 0x03, 0x01, 0, 2, 2, 40);
  judged(failed(error("closed"), undefined, alert), "problem", /expects TLS/, /TLS/);
  judged(failed(error("closed"), undefined, new Uint8Array(0)), "problem", /closed/, /ours/);
  judged(failed(error("timeout"), undefined, bytes("HTTP/1.1 400")), "problem", /web server/);
});

Deno.test("every pair is proposed once, alone, in associations of at most 128 contexts", () => {
  const own = { sopClassUid: "1.2.3.4.5", transferSyntaxUid: "1.2.3.99" };
  const plan = planProbes([own]);
  assert.ok(plan.every((contexts) => contexts.length <= 128));
  const pairs = plan.flat().map(({ abstractSyntax, transferSyntaxes }) =>
    `${abstractSyntax} ${transferSyntaxes.join()}`
  );
  assert.equal(new Set(pairs).size, pairs.length);
  const wanted = 1 + 1 + (COMMON_STORAGE_CLASSES.length + 1) * SYNTAXES.length;
  assert.equal(pairs.length, wanted);
  assert.equal(plan[0]![1]!.abstractSyntax, own.sopClassUid, "what waits comes first");
  for (const contexts of plan) {
    assert.deepEqual(contexts.map(({ id }) => id), contexts.map((_, n) => 2 * n + 1));
  }
});

/** A node that takes these pairs. */
function taking(...pairs: [sopClass: string, syntax: string][]): Acceptance {
  const acceptance = new Acceptance();
  for (const contexts of planProbes([{ sopClassUid: CT, transferSyntaxUid: MPEG4 }])) {
    acceptance.learn(
      contexts,
      contexts.map(({ id, abstractSyntax, transferSyntaxes: [syntax = ""] }) => {
        const takes = pairs.some(([one, other]) => one === abstractSyntax && other === syntax);
        return { id, result: takes ? 0 : 4, transferSyntax: syntax };
      }),
    );
  }
  return acceptance;
}

Deno.test("what waits is judged by what is taken, as it is or decompressed", () => {
  const waiting = (sopClassUid: string, transferSyntaxUid: string, count = 3) => [
    { sopClassUid, transferSyntaxUid, count },
  ];
  const plain = taking([CT, EXPLICIT_VR_LE], [CT, IMPLICIT_VR_LE]);
  const [asIs] = judgeWaiting(plain, waiting(CT, EXPLICIT_VR_LE), true, "PACS");
  judged(asIs!, "ok", /it takes 3 as they are/);
  const [converted] = judgeWaiting(plain, waiting(CT, J2K), true, "PACS");
  judged(converted!, "ok", /3 after decompressing/);
  const [refused] = judgeWaiting(plain, waiting(CT, J2K), false, "PACS");
  judged(refused!, "problem", /3 that wait are CT.*JPEG 2000 Lossless.*transcode/, /transcode/);
  const [video] = judgeWaiting(plain, waiting(CT, MPEG4), true, "PACS");
  judged(video!, "problem", /MPEG-4/, /enable MPEG-4.*or route/);
  const [none] = judgeWaiting(plain, waiting(MR, EXPLICIT_VR_LE), true, "PACS");
  judged(none!, "problem", /does not take at all/, /enable the SOP class MR/);
  judged(judgeWaiting(plain, [], true, "PACS")[0]!, "ok", /nothing waits/);
  judged(judgeAcceptance(plain, "PACS"), "ok", /takes 1 of \d+/);
  judged(judgeAcceptance(taking(), "PACS"), "problem", /takes none/, /enable storage/);
});

Deno.test("an accepted context with a transfer syntax of the node's own choice counts as none", () => {
  const acceptance = new Acceptance();
  const contexts = [{ id: 1, abstractSyntax: CT, transferSyntaxes: [J2K] }];
  acceptance.learn(contexts, [{ id: 1, result: 0, transferSyntax: EXPLICIT_VR_LE }]);
  assert.equal(acceptance.takes({ sopClassUid: CT, transferSyntaxUid: J2K }), false);
  acceptance.learn([{ id: 1, abstractSyntax: MR, transferSyntaxes: [J2K] }], []);
  assert.equal(acceptance.takes({ sopClassUid: MR, transferSyntaxUid: J2K }), false);
});

Deno.test("the matrix has a row for each set of answers, and no line over the width", () => {
  const lines = matrix(taking([CT, EXPLICIT_VR_LE], [CT, J2K], [MR, EXPLICIT_VR_LE]), 72);
  assert.ok(lines.every((line) => line.length <= 72), lines.join("\n"));
  const [head = ""] = lines;
  const marks = lines.filter((line) => /^[+.] /.test(line));
  assert.equal(marks.length, 3);
  const ct = lines[lines.findIndex((line) => line === "  CT") - 1]!;
  assert.equal(ct[head.indexOf("expl")], "+");
  assert.equal(ct[head.indexOf("j2kl")], "+");
  assert.equal(ct[head.indexOf("rle")], ".");
  assert.equal(ct[head.indexOf("impl")], ".");
});

Deno.test("echoes in fits and starts are told", () => {
  judged(judgeEchoes([1, 2, 3, 2, 2]), "ok", /takes 2\.0 ms/);
  judged(judgeEchoes([2, 2, 3000, 2, 2]), "warning", /one took 3\.0 s/, /load/);
});

Deno.test("the answer to the test image says whether it is there", () => {
  judged(judgeStored(0, "", 3, "PACS"), "ok", /Success \(0000\) after 3\.0 ms/);
  judged(judgeStored(0xb000, "", 3, "PACS"), "warning", /not as it was sent/);
  judged(judgeStored(0xa700, "", 3, "PACS"), "problem", /A700/, /Make room on PACS/);
  judged(judgeStored(0x0124, "", 3, "PACS"), "problem", /0124/, /allow our AE title/);
  judged(judgeStored(0xc000, "bad\x1b", 3, "PACS"), "problem", /C000.*bad\\x1b/, /log of PACS/);
  judged(judgeStored(undefined, "", 3, "PACS"), "problem", /without a status/, /log of PACS/);
});

Deno.test("a record of several bytes at once is recognised by its beginning alone", () => {
  const long = concat([Uint8Array.of(0x16, 3, 3, 0, 80), new Uint8Array(59)]);
  assert.equal(recognise(long), "tls");
});
