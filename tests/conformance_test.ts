/* The DICOM conformance statement says what the program does: its figures, UIDs and tables are held to the code. */

import assert from "node:assert/strict";
import { configFrom } from "../src/config/load.ts";
import {
  CANNOT_UNDERSTAND,
  classifyStoreStatus,
  DATA_SET_MISMATCH,
  INVALID_SOP_INSTANCE,
  OUT_OF_RESOURCES,
  PROCESSING_FAILURE,
  SOP_CLASS_NOT_SUPPORTED,
  type StatusClass,
  SUCCESS,
  UNRECOGNIZED_OPERATION,
} from "../src/dicom/status.ts";
import {
  APPLICATION_CONTEXT,
  EXPLICIT_VR_LE,
  IMPLEMENTATION_CLASS_UID,
  IMPLEMENTATION_VERSION_NAME,
  IMPLICIT_VR_LE,
  isStorageClass,
  VERIFICATION,
} from "../src/dicom/uid.ts";
import { MOST_OPERATIONS } from "../src/delivery/operations_caution.ts";
import { DEFAULT_BACK_OFF } from "../src/delivery/retry.ts";
import { addressFilter } from "../src/access/address.ts";
import { type Load, refuse } from "../src/receiver/admission.ts";
import { canTranscode, sourceSyntax } from "../src/transcode/syntaxes.ts";
import { MOST_CONTEXTS } from "../src/ul/negotiation.ts";
import { PduType } from "../src/ul/pdu.ts";
import { SLOWEST_RATE } from "../src/ul/pdu_reader.ts";
import { VERSION } from "../src/cli/version.ts";
import { userInformation } from "./helpers/pdus.ts";

const TEXT = Deno.readTextFileSync(new URL("../docs/conformance.md", import.meta.url));

/** A section's text, from its number up to the next heading. */
function section(number: string): string {
  const [, rest] = TEXT.split(new RegExp(`^#+ ${number.replaceAll(".", "\\.")} .*$`, "m"));
  assert.ok(rest !== undefined, `no section ${number}`);
  return rest.split(/^#+ /m)[0]!;
}

/** The rows of the tables of a section, without their heads: cells. */
function rows(number: string): string[][] {
  const lines = section(number).split("\n").filter((line) => line.startsWith("|"));
  const cells = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const isRule = (one: string[] | undefined) => one?.every((cell) => /^-+$/.test(cell)) === true;
  return cells.filter((row, n) => !isRule(row) && !isRule(cells[n + 1]));
}

/** The row of a section that begins with these words. */
function row(number: string, first: string): string[] {
  const found = rows(number).find(([cell]) => cell === first);
  assert.ok(found !== undefined, `section ${number} has no row "${first}"`);
  return found;
}

const CONFIG = configFrom({ pacs_host: "pacs.example" }, "/srv/forwarder");
const [PACS] = CONFIG.destinations;
assert.ok(PACS?.type === "dicom");

/** Seconds as the tables have them. */
const seconds = (ms: number) => String(ms / 1000);

Deno.test("version, UIDs, AE title and port are the program's", () => {
  assert.ok(TEXT.includes(`version ${VERSION},`), VERSION);
  assert.equal(row("4.2.2", "application context name")[1], APPLICATION_CONTEXT);
  assert.equal(row("4.2.2", "implementation class UID")[1], IMPLEMENTATION_CLASS_UID);
  assert.equal(row("4.2.2", "implementation version name")[1], IMPLEMENTATION_VERSION_NAME);
  assert.ok(section("1").includes(`(${VERIFICATION})`));
  assert.ok(row("4.2.3", "called")[1]!.startsWith(`\`${CONFIG.localAeTitle}\``));
  assert.ok(section("4.4").includes(`port ${CONFIG.localPort}`));
});

Deno.test("lengths of PDUs, numbers of associations, contexts and operations are the defaults", () => {
  for (const [number, length] of [["4.2.2", CONFIG.maxPduLength], ["4.3.2", PACS.maxPduLength]]) {
    assert.ok(row(String(number), "maximum PDU length announced")[1]!.startsWith(`${length} `));
  }
  const { maxAssociations, maxAssociationsPerHost, maxInstanceSize } = CONFIG;
  assert.match(row("4.2.2", "associations at a time")[1]!, new RegExp(`^${maxAssociations} `));
  assert.match(
    row("4.2.2", "associations at a time from one address")[1]!,
    new RegExp(`^${maxAssociationsPerHost} `),
  );
  assert.match(row("4.3.2", "associations at a time")[1]!, new RegExp(`^${PACS.associations} `));
  assert.equal(row("4.2.2", "presentation contexts of an association")[1], String(MOST_CONTEXTS));
  assert.equal(
    row("4.3.2", "asynchronous operations window proposed")[1],
    `${MOST_OPERATIONS} invoked, 1 performed`,
  );
  assert.ok(section("4.2.5").includes(`over ${maxInstanceSize / 2 ** 30} GiB`));
});

Deno.test("time-outs and pauses are the defaults", () => {
  const { timeouts } = CONFIG;
  const receiving: Record<string, number> = {
    "`timeouts.association_request`": timeouts.associationRequestMs,
    "`timeouts.idle`": timeouts.idleMs,
    "`timeouts.read`": timeouts.readMs,
    "`timeouts.write_stall`": timeouts.writeStallMs,
    "`timeouts.stop`": timeouts.stopMs,
  };
  assert.deepEqual(
    rows("4.2.4").map(([, value, setting]) => [setting, value]),
    Object.entries(receiving).map(([setting, ms]) => [setting, seconds(ms)]),
  );
  const sending: Record<string, number> = {
    "`timeouts.connect`": PACS.timeouts.connectMs,
    "`timeouts.association`": PACS.timeouts.associationMs,
    "`timeouts.response`": PACS.timeouts.responseMs,
    "`timeouts.write_stall`": PACS.timeouts.writeStallMs,
    "`timeouts.release`": PACS.timeouts.releaseMs,
  };
  assert.deepEqual(
    rows("4.3.7").map(([, value, setting]) => [setting, value]),
    Object.entries(sending).map(([setting, ms]) => [setting, seconds(ms)]),
  );
  const words = section("4.3.3").replace(/\s+/g, " ");
  assert.ok(words.includes(`${seconds(PACS.timeouts.idleReleaseMs)} s longer`), words);
  const { firstMs, mostMs } = DEFAULT_BACK_OFF;
  assert.ok(
    words.includes(`after ${seconds(firstMs)} s at first, doubling to ${seconds(mostMs)} s`),
  );
  assert.ok(section("4.2.4").replace(/\s+/g, " ").includes(`${SLOWEST_RATE} bytes a second`));
});

Deno.test("the statuses returned are those the program has, each once", () => {
  const returned = [
    SUCCESS,
    OUT_OF_RESOURCES,
    DATA_SET_MISMATCH,
    CANNOT_UNDERSTAND,
    PROCESSING_FAILURE,
    INVALID_SOP_INSTANCE,
    SOP_CLASS_NOT_SUPPORTED,
  ].map((status) => status.toString(16).toUpperCase().padStart(4, "0"));
  assert.deepEqual(rows("4.2.5").map((cells) => cells[1]), returned);
  assert.ok(section("4.2.6").includes(UNRECOGNIZED_OPERATION.toString(16).padStart(4, "0")));
});

/** Which of the 65,536 statuses a row is about: codes, ranges, and x for any digit. */
function statusesOf(cell: string): Set<number> {
  const [named = "", but] = cell.replace(/[()]/g, "").split(" but ");
  const one = (word: string): number[] => {
    const [from, to] = word.split(" to ").map((text) => text.trim());
    const low = parseInt(from!.replaceAll("x", "0"), 16);
    const high = parseInt((to ?? from!).replaceAll("x", "F"), 16);
    return Array.from({ length: high - low + 1 }, (_, n) => low + n);
  };
  const all = new Set(named.split(",").flatMap(one));
  for (const status of but === undefined ? [] : one(but)) all.delete(status);
  return all;
}

Deno.test("the behaviour for each of all 65,536 statuses received is the program's", () => {
  const classes: readonly (readonly StatusClass[])[] = [
    ["stored"],
    ["stored-with-warning"],
    ["out-of-resources"],
    ["refused"],
    ["duplicate"],
    ["not-authorised"],
    ["protocol-error"],
  ];
  const table = rows("4.3.6");
  assert.equal(table.length, classes.length + 1);
  assert.equal(table.at(-1)![0], "any other");
  const named = table.slice(0, -1).map(([cell]) => statusesOf(cell!));
  for (let status = 0; status <= 0xffff; status++) {
    const at = named.findIndex((statuses) => statuses.has(status));
    const wanted = at < 0 ? ["not-an-answer"] : classes[at]!;
    const found = classifyStoreStatus(status);
    assert.ok(wanted.includes(found), `${status.toString(16)}: ${found}, the table has ${wanted}`);
  }
  assert.ok(section("4.3.6").includes(`\`retry_attempts\`: ${PACS.retryAttempts}`));
});

Deno.test("associations are rejected with the results, sources and reasons of the table, and no others", () => {
  const told = rows("4.2.3").map(([cell]) => cell!).filter((cell) => /^\d, \d, \d$/.test(cell));
  const request = {
    type: PduType.AssociateRequest,
    protocolVersion: 1,
    calledAeTitle: CONFIG.localAeTitle,
    callingAeTitle: "MODALITY",
    applicationContext: APPLICATION_CONTEXT,
    contexts: [],
    userInformation: userInformation(0),
  };
  const free: Load = { associations: 0, fromSameHost: 0, spoolRefuses: undefined };
  const only = { ...CONFIG, allowedCallingAeTitles: ["CT1"] };
  const house = "192.168.1.2";
  const all = addressFilter([]);
  const refusals = [
    refuse({ ...request, protocolVersion: 2 }, house, free, CONFIG, all),
    refuse({ ...request, applicationContext: "1.2.3" }, house, free, CONFIG, all),
    refuse(request, house, free, only, all),
    refuse(request, house, free, CONFIG, addressFilter(["10.0.0.0/8"])),
    refuse({ ...request, calledAeTitle: "OTHER" }, house, free, CONFIG, all),
    refuse(request, house, { ...free, associations: 50 }, CONFIG, all),
    refuse(request, house, { ...free, fromSameHost: 20 }, CONFIG, all),
    refuse(request, house, { ...free, spoolRefuses: "full" }, CONFIG, all),
  ].map((one) => `${one?.result}, ${one?.source}, ${one?.reason}`);
  assert.deepEqual([...new Set(refusals)].sort(), told.sort());
  assert.equal(refuse(request, house, free, CONFIG, all), undefined);
});

Deno.test("the transfer syntaxes that can be converted are all listed, and no others", () => {
  const listed = rows("4.3.5").flatMap(([, cell]) => cell!.split(", ")).sort();
  for (const uid of listed) assert.ok(sourceSyntax(uid) !== undefined, uid);
  // Every UID of a transfer syntax that the standard could have there.
  const possible = [
    IMPLICIT_VR_LE,
    EXPLICIT_VR_LE,
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    ...Array.from({ length: 10 }, (_, n) => `1.2.840.10008.1.2.${n}`),
    ...Array.from({ length: 300 }, (_, n) => `1.2.840.10008.1.2.4.${n}`),
  ];
  const can = possible.filter((uid) =>
    canTranscode(uid, EXPLICIT_VR_LE) || canTranscode(uid, IMPLICIT_VR_LE)
  );
  assert.deepEqual([...new Set(can)].sort(), listed);
});

Deno.test("storage is what the statement says it is: below one root but for services, elsewhere by list, and private", () => {
  const root = "1.2.840.10008.5.1.4.1.1";
  const services = ["200.4", "200.5", "200.6"].concat(
    ["201.2", "201.3", "201.4", "201.5", "201.6"],
  );
  assert.match(section("4.2.1"), /200\.4 to 200\.6/);
  assert.match(section("4.2.1"), /201\.2 to 201\.6/);
  for (const one of services) assert.ok(!isStorageClass(`${root}.${one}`), one);
  for (const one of ["2", "7", "104.1", "999.9", "200.3", "201.1"]) {
    assert.ok(isStorageClass(`${root}.${one}`), one);
  }
  assert.ok(isStorageClass("1.3.12.2.1107.5.9.1"), "private");
  for (const query of ["1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.31", VERIFICATION]) {
    assert.ok(!isStorageClass(query), query);
  }
});
