/*
 * AE titles as peers write them: what counts as our name and what does not, over the wire, and how the log shows it.
 */

import assert from "node:assert/strict";
import { PduType } from "../../src/ul/pdu.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { ascii } from "../helpers/hex.ts";
import { captureLog } from "../helpers/log_file.ts";
import { associateRequest, RELEASE_RQ } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";

const OURS = "FORWARDER";

/** A request whose called and calling AE title fields are these bytes, filled up to 16 with `fill`. */
function request(called: string, calling: string, fill = 0x20): Uint8Array {
  const pdu = associateRequest();
  pdu.set(ascii(called, 16, fill), 10);
  pdu.set(ascii(calling, 16, fill), 26);
  return pdu;
}

/** The answer: accepted, or the numbers of a rejection; the fields an acceptance sends back are those that came. */
async function ask(
  port: number,
  pdu: Uint8Array,
  address?: string,
): Promise<"accepted" | number[]> {
  const peer = await Peer.connect(port, address);
  try {
    await peer.send(pdu);
    const { type, body } = await peer.receivePdu();
    if (type === PduType.AssociateReject) {
      await peer.finish();
      await peer.receiveRest();
      return [...body.subarray(1)];
    }
    assert.equal(type, PduType.AssociateAccept);
    assert.deepEqual(body.slice(4, 36), pdu.slice(10, 42));
    await peer.send(RELEASE_RQ);
    await peer.expectPdu(PduType.ReleaseResponse);
    return "accepted";
  } finally {
    peer.close();
  }
}

/** Ways to write our name (PS3.5 §6.2: spaces around it do not count; NULs are what some devices fill up with). */
const SAME: readonly [string, Uint8Array][] = [
  ["filled up with spaces", request(OURS, "CT1")],
  ["behind leading spaces", request(`   ${OURS}`, "   CT1")],
  ["filled up with NULs", request(OURS, "CT1", 0)],
  ["with spaces and NULs mixed", request(` ${OURS} \0 \0`, " CT1 \0 \0")],
];

/** Names that are not ours, however near they come. */
const OTHERS: readonly [string, string][] = [
  ["16 spaces", ""],
  ["16 NULs", "\0".repeat(16)],
  ["our name in lower case", OURS.toLowerCase()],
  ["our name and a letter", `${OURS}X`],
  ["our name with a space in it", "FORW ARDER"],
  ["our name behind a NUL and a letter", `X\0${OURS}`],
  ["a backslash", `${OURS}\\X`],
  ["a slash", `../${OURS}`],
  ["dots", ".."],
  ["control characters", "\x1b[2J\r\nERROR x\x07"],
  ["bytes over 0x7f", "\x80\x9f\xa0\xc3\xa9\xff"],
];

Deno.test("our AE title is known by its characters whatever surrounds it, and every other name is refused and logged in one line", async () => {
  await using scratch = await Scratch.make();
  const log = await captureLog(scratch.at("logs"));
  let lines: string[] | undefined;
  try {
    await using forwarder = await Forwarder.start(scratch.folder("home"), {
      local_ae_title: OURS,
      allowed_calling_ae_titles: ["CT1"],
      store_locally: true,
    });
    for (const [name, pdu] of SAME) assert.equal(await ask(forwarder.port, pdu), "accepted", name);
    for (const [n, [name, title]] of OTHERS.entries()) {
      const { port } = forwarder;
      // One line a minute for each address; elsewhere than on Linux this machine has one.
      const address = Deno.build.os === "linux" ? `127.0.0.${n + 2}` : undefined;
      assert.deepEqual(await ask(port, request(title, "CT1"), address), [1, 1, 7], name);
      const asCaller = title === "" ? [1, 1, 3] : await ask(port, request(OURS, title), address);
      assert.deepEqual(asCaller, [1, 1, 3], `${name}, calling`);
    }
    assert.equal(await ask(forwarder.port, request(OURS, "CT1")), "accepted", "and still serves");
  } finally {
    lines = await log();
  }
  const rejections = lines.filter((line) => line.includes("Association rejected: "));
  assert.equal(rejections.length, Deno.build.os === "linux" ? 2 * OTHERS.length - 1 : 2);
  for (const line of lines) {
    assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +(DEBUG|INFO|WARN|ERROR)/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f]/);
  }
});

Deno.test("where any name will do, titles of any bytes are taken as they are", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    require_called_ae_title: false,
    store_locally: true,
  });
  for (const [name, title] of OTHERS) {
    assert.equal(await ask(forwarder.port, request(title, title)), "accepted", name);
  }
});
