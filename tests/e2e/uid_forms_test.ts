/*
 * UIDs as devices write them, and as none should: what is stored, what is refused with which status, and that what goes
 * on is what came: the command's UID, and a data set that agrees with it byte for byte.
 */

import assert from "node:assert/strict";
import { CommandField, decodeCommand } from "../../src/dimse/command.ts";
import type { Command } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { concat } from "../../src/dicom/bytes.ts";
import { CT_IMAGE_STORAGE, dataSetOf } from "../helpers/instances.ts";
import { associateRequest, commandPdu, dataPdu, pdv, pdvsOf, RELEASE_RQ } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { isIdleSlot } from "../helpers/idle_slot.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";

const LONG = `1.2.${"3".repeat(60)}`;
const TOO_LONG = `${LONG}4`;
const MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4";

interface Form {
  readonly name: string;
  /** Affected SOP Instance UID as sent; undefined where the element is left out. */
  readonly command: string | undefined;
  /** (0008,0018) as sent; undefined where the element is left out. */
  readonly dataSet: string | undefined;
  readonly status: number;
  readonly sopClass?: string;
  readonly dataSetClass?: string;
}

const FORMS: readonly Form[] = [
  { name: "the same in both", command: "1.2.3", dataSet: "1.2.3", status: 0 },
  { name: "64 characters", command: LONG, dataSet: LONG, status: 0 },
  { name: "a leading zero in a part", command: "1.02.3", dataSet: "1.02.3", status: 0 },
  { name: "NULs behind the command's", command: "1.2.4\0\0\0", dataSet: "1.2.4", status: 0 },
  { name: "a space behind the command's", command: "1.2.5 ", dataSet: "1.2.5", status: 0 },
  { name: "NULs behind the data set's", command: "1.2.6", dataSet: "1.2.6\0\0\0", status: 0 },
  { name: "a space behind the data set's", command: "1.2.7", dataSet: "1.2.7 ", status: 0 },
  { name: "none in the data set", command: "1.2.8", dataSet: undefined, status: 0 },
  { name: "an empty one in the data set", command: "1.2.9", dataSet: "", status: 0 },
  { name: "none in the command", command: undefined, dataSet: "1.2.10", status: 0x0117 },
  { name: "an empty one in the command", command: "", dataSet: "1.2.10", status: 0x0117 },
  {
    name: "nothing but padding in the command",
    command: "\0\0",
    dataSet: "1.2.10",
    status: 0x0117,
  },
  { name: "65 characters in both", command: TOO_LONG, dataSet: TOO_LONG, status: 0x0117 },
  { name: "letters in both", command: "1.2.abc", dataSet: "1.2.abc", status: 0x0117 },
  { name: "a NUL inside the command's", command: "1.2\x003", dataSet: "1.2.3", status: 0x0117 },
  { name: "a space before the command's", command: " 1.2.3", dataSet: "1.2.3", status: 0x0117 },
  { name: "65 characters in the data set", command: LONG, dataSet: TOO_LONG, status: 0xa900 },
  { name: "letters in the data set", command: "1.2.11", dataSet: "1.2.abc", status: 0xa900 },
  { name: "another one in the data set", command: "1.2.12", dataSet: "1.2.13", status: 0xa900 },
  {
    name: "the data set's SOP class is another",
    command: "1.2.14",
    dataSet: "1.2.14",
    dataSetClass: MR_IMAGE_STORAGE,
    status: 0xa900,
  },
  {
    name: "the command's SOP class is not the context's",
    command: "1.2.15",
    dataSet: "1.2.15",
    sopClass: MR_IMAGE_STORAGE,
    status: 0x0122,
  },
  {
    name: "the command's SOP class is none",
    command: "1.2.16",
    dataSet: "1.2.16",
    sopClass: "../x",
    status: 0x0122,
  },
];

/** Without the element (0008,0018), which stands behind (0008,0016). */
function dataSetFor({ dataSet, dataSetClass = CT_IMAGE_STORAGE }: Form): Uint8Array {
  const sopInstanceUid = dataSet ?? "";
  const whole = dataSetOf({ sopInstanceUid, sopClassUid: dataSetClass });
  if (dataSet !== undefined) return whole;
  const classEnd = 8 + dataSetClass.length + dataSetClass.length % 2;
  return concat([whole.subarray(0, classEnd), whole.subarray(classEnd + 8)]);
}

/** A scripted sender with an association for CT images. */
async function withSender(
  use: (
    store: (command: Partial<Command>, dataSet: Uint8Array) => Promise<Command>,
    sink: Sink,
    scratch: Scratch,
  ) => Promise<void>,
): Promise<void> {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const peer = await Peer.connect(forwarder.port);
  const context = {
    id: 1,
    abstractSyntax: CT_IMAGE_STORAGE,
    transferSyntaxes: ["1.2.840.10008.1.2.1"],
  };
  await peer.send(associateRequest([context], 16384, { calledAeTitle: FORWARDER_AE }));
  await peer.expectPdu(PduType.AssociateAccept);
  await use(
    async (command, dataSet) => {
      await peer.send(
        commandPdu(1, {
          commandField: CommandField.StoreRequest,
          affectedSopClassUid: CT_IMAGE_STORAGE,
          messageId: 1,
          priority: 0,
          commandDataSetType: 1,
          ...command,
        }),
        dataPdu(pdv(1, "data", true, dataSet)),
      );
      const [answer] = pdvsOf(await peer.expectPdu(PduType.Data));
      return decodeCommand(answer!.fragment);
    },
    sink,
    scratch,
  );
  await peer.send(RELEASE_RQ);
  await peer.expectPdu(PduType.ReleaseResponse);
  peer.close();
}

Deno.test("UIDs in every form are stored as they came or refused with their status, and go on as one pair", async (context) => {
  await withSender(async (store, sink, scratch) => {
    const expected: [string, string][] = [];
    for (const form of FORMS) {
      await context.step(form.name, async () => {
        const dataSet = dataSetFor(form);
        const answer = await store({
          ...(form.command === undefined ? {} : { affectedSopInstanceUid: form.command }),
          ...(form.sopClass === undefined ? {} : { affectedSopClassUid: form.sopClass }),
        }, dataSet);
        assert.equal(answer.status?.toString(16), form.status.toString(16));
        if (form.status === 0) {
          expected.push([form.command!.replace(/[\0 ]+$/, ""), sha256(dataSet)]);
        } else assert.ok((answer.errorComment ?? "") !== "", "a refusal says why");
      });
    }
    await sink.received(expected.length);
    const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
    assert.deepEqual(new Map(arrived), new Map(expected));
    const left = filesIn(scratch.at("spool")).filter((path) => Deno.statSync(path).size > 0);
    const unfinished = (path: string) => path.endsWith(".part") && !isIdleSlot(path);
    assert.deepEqual(left.filter(unfinished), []);
  });
});

Deno.test("data sets of 0 and 2 bytes are refused with C000, one of odd length goes on byte for byte", async () => {
  await withSender(async (store, sink) => {
    const whole = dataSetOf({ sopInstanceUid: "1.2.3" });
    // The last element, eight bytes of pixels, ends a byte early and says so.
    const odd = whole.slice(0, -1);
    odd[odd.length - 11] = 7;
    for (
      const [dataSet, status] of [
        [new Uint8Array(0), 0xc000],
        [Uint8Array.of(8, 0), 0xc000],
        [odd, 0],
      ] as const
    ) {
      const answer = await store({ affectedSopInstanceUid: "1.2.3" }, dataSet);
      assert.equal(answer.status?.toString(16), status.toString(16), `${dataSet.length} bytes`);
    }
    await sink.received(1);
    assert.equal(sink.arrivals[0]?.hash, sha256(odd));
    assert.equal(sink.arrivals[0]?.length, odd.length);
  });
});
