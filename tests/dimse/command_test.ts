/*
 * Command sets against bytes written down from PS3.7 §9.3 and Annex E, and round trips.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import {
  type Command,
  decodeCommand,
  encodeCommand,
  MalformedCommand,
} from "../../src/dimse/command.ts";
import { ascii, bytes, hex } from "../helpers/hex.ts";

// PS3.7 Table 9.3-1. Implicit VR little endian: group, element, length (4 bytes), value.
const STORE_RQ = concat([
  bytes("0000 0000 04000000 70000000"), // group length: 112 bytes follow
  bytes("0000 0200 1a000000"), // Affected SOP Class UID
  ascii("1.2.840.10008.5.1.4.1.1.2", 26, 0),
  bytes(`
    0000 0001 02000000 0100 // Command Field: C-STORE-RQ
    0000 1001 02000000 0700 // Message ID
    0000 0007 02000000 0000 // Priority: medium
    0000 0008 02000000 0100 // Command Data Set Type: one follows
    0000 0010 1e000000      // Affected SOP Instance UID
  `),
  ascii("1.2.826.0.1.3680043.9.7433.1.1", 30, 0),
]);

const STORE: Command = {
  commandField: 0x0001,
  affectedSopClassUid: "1.2.840.10008.5.1.4.1.1.2",
  affectedSopInstanceUid: "1.2.826.0.1.3680043.9.7433.1.1",
  messageId: 7,
  priority: 0,
  commandDataSetType: 1,
};

Deno.test("a C-STORE-RQ is the bytes of PS3.7 Table 9.3-1 in both directions", () => {
  assert.equal(hex(encodeCommand(STORE)), hex(STORE_RQ));
  assert.deepEqual(decodeCommand(STORE_RQ), STORE);
});

// PS3.7 Table 9.3-2, with an error comment of odd length.
const STORE_RSP = concat([
  bytes("0000 0000 04000000 44000000"),
  bytes("0000 0200 04000000 312e3200"),
  bytes(`
    0000 0001 02000000 0180 // Command Field: C-STORE-RSP
    0000 2001 02000000 ffff // Message ID Being Responded To
    0000 0008 02000000 0101 // no data set
    0000 0009 02000000 00a7 // Status A700
  `),
  bytes("0000 0209 04000000 66756c20"), // Error Comment, padded with a space
  bytes("0000 0010 04000000 312e3300"),
]);

Deno.test("a C-STORE-RSP is the bytes of PS3.7 Table 9.3-2 in both directions", () => {
  const response: Command = {
    commandField: 0x8001,
    affectedSopClassUid: "1.2",
    messageIdBeingRespondedTo: 0xffff,
    commandDataSetType: 0x0101,
    status: 0xa700,
    errorComment: "ful",
    affectedSopInstanceUid: "1.3",
  };
  const encoded = encodeCommand(response);
  assert.equal(new DataView(encoded.buffer).getUint32(8, true), encoded.length - 12);
  assert.equal(hex(encoded.subarray(12)), hex(STORE_RSP.subarray(12)));
  assert.deepEqual(decodeCommand(STORE_RSP), response);
});

Deno.test("a C-ECHO-RQ is the bytes of PS3.7 Table 9.3-12", () => {
  const echo = encodeCommand({
    commandField: 0x0030,
    affectedSopClassUid: "1.2.840.10008.1.1",
    messageId: 1,
    commandDataSetType: 0x0101,
  });
  assert.equal(
    hex(echo),
    hex(concat([
      bytes("0000 0000 04000000 38000000"),
      bytes("0000 0200 12000000"),
      ascii("1.2.840.10008.1.1", 18, 0),
      bytes("0000 0001 02000000 3000 0000 1001 02000000 0100 0000 0008 02000000 0101"),
    ])),
  );
});

Deno.test("elements in any order, unknown ones, no group length and space padding are read", () => {
  const command = decodeCommand(bytes(`
    0000 1001 02000000 0500
    0000 0002 0a000000 00000000000000000000 // retired element
    0000 0200 04000000 312e3220
    0000 0001 02000000 3000
    0000 ffff 00000000
  `));
  assert.deepEqual(command, { messageId: 5, affectedSopClassUid: "1.2", commandField: 0x30 });
});

Deno.test("a status of any length but two bytes counts as absent, never as the Success it begins with", () => {
  for (
    const status of [
      "00000000",
      "01000000 00",
      "04000000 00000000",
      "0e000000 00000000000000000000000000 00",
    ]
  ) {
    const command = decodeCommand(bytes(`
      0000 0001 02000000 0180
      0000 2001 02000000 0100
      0000 0009 ${status}
    `));
    assert.deepEqual(command, { commandField: 0x8001, messageIdBeingRespondedTo: 1 }, status);
  }
});

Deno.test("an element that comes twice and says the same is read", () => {
  const command = decodeCommand(bytes(`
    0000 0001 02000000 0180
    0000 0009 02000000 00a7
    0000 0009 02000000 00a7
  `));
  assert.deepEqual(command, { commandField: 0x8001, status: 0xa700 });
});

const BROKEN: readonly [string, string, RegExp][] = [
  ["an element cut in its header", "0000 0001 0200", /6 bytes into/],
  ["a value cut short", "0000 0001 02000000 01", /claims 2 bytes, 1 are there/],
  ["a length of 4 GiB", "0000 0001 ffffffff 0100", /claims 4294967295 bytes/],
  ["an element of a data set", "0800 1600 02000000 3120", /group 0008/],
  ["no command field", "0000 1001 02000000 0500", /no Command Field/],
  ["an empty command field", "0000 0001 00000000", /no Command Field/],
  ["nothing at all", "", /no Command Field/],
  [
    "a status of A700 and then one of Success",
    "0000 0001 02000000 0180 0000 0009 02000000 00a7 0000 0009 02000000 0000",
    /\(0000,0900\) comes twice and differs/,
  ],
  [
    "two SOP instances",
    "0000 0001 02000000 0100 0000 0010 04000000 312e3200 0000 0010 04000000 312e3300",
    /\(0000,1000\) comes twice and differs/,
  ],
];

for (const [name, wire, message] of BROKEN) {
  Deno.test(`a command set with ${name} is malformed`, () => {
    assert.throws(() => decodeCommand(bytes(wire)), (error: unknown) => {
      assert.ok(error instanceof MalformedCommand);
      assert.match(error.message, message);
      return true;
    });
  });
}

const u16 = fc.integer({ min: 0, max: 0xffff });
const uid = fc.stringMatching(/^[0-9.]{1,64}$/);

Deno.test("whatever command is written is even, ascending, counted right, and read back the same", () => {
  fc.assert(
    fc.property(
      fc.record({
        commandField: u16,
        affectedSopClassUid: uid,
        messageId: u16,
        messageIdBeingRespondedTo: u16,
        priority: u16,
        commandDataSetType: u16,
        status: u16,
        errorComment: fc.stringMatching(/^[!-~]{1,64}$/),
        affectedSopInstanceUid: uid,
      }, { requiredKeys: ["commandField"], noNullPrototype: true }),
      (drawn) => {
        const command = drawn as Command;
        const wire = encodeCommand(command);
        const view = new DataView(wire.buffer);
        assert.equal(wire.length % 2, 0);
        assert.equal(view.getUint32(8, true), wire.length - 12);
        let last = -1;
        for (let at = 0; at < wire.length; at += 8 + view.getUint32(at + 4, true)) {
          const element = view.getUint16(at + 2, true);
          assert.ok(element > last, "ascending");
          last = element;
        }
        assert.deepEqual(decodeCommand(wire), command);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("any bytes are a command or MalformedCommand, never another throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.tuple(fc.nat(STORE_RQ.length - 1), fc.nat(255)).map(([at, value]) => {
          const changed = STORE_RQ.slice();
          changed[at] = value;
          return changed;
        }),
      ),
      (wire) => {
        try {
          decodeCommand(wire);
        } catch (error) {
          assert.ok(error instanceof MalformedCommand, String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
});
