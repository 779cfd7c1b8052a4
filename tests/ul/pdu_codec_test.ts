/*
 * PDUs to bytes and back: every PDU against bytes written down from the tables of PS3.8 §9.3 and PS3.7 Annex D.3.3,
 * round trips of anything the types allow, and lengths that lie.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import {
  AbortReason,
  type AnsweredContext,
  type ControlPdu,
  ItemType,
  PduType,
  type ProposedContext,
  type UserInformation,
} from "../../src/ul/pdu.ts";
import { decodeControlPdu, isKnownPduType, MalformedPdu } from "../../src/ul/pdu_decode.ts";
import { encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import { bytes, hex } from "../helpers/hex.ts";

function decode(pdu: Uint8Array): ControlPdu {
  const claimed = new DataView(pdu.buffer, pdu.byteOffset).getUint32(2);
  assert.equal(claimed, pdu.length - 6, "PDU-length counts the bytes behind it");
  return decodeControlPdu(pdu[0]!, pdu.subarray(6));
}

const NO_USER: UserInformation = {
  maxPduLength: 16384,
  implementationClassUid: "1.2.3",
  implementationVersionName: "",
  roleSelections: [],
  sopClassExtended: [],
  sopClassCommonExtended: [],
  unknown: [],
};

// PS3.8 Tables 9-11 to 9-16.
const ASSOCIATE_RQ = bytes(`
  01 00 000000a1                          // type, reserved, length 161
  0001 0000                               // protocol version, reserved
  53544f52455343502020202020202020        // called   "STORESCP"
  4d4f44414c4954592020202020202020        // calling  "MODALITY"
  0000000000000000000000000000000000000000000000000000000000000000
  10 00 0015                              // application context, 21
    312e322e3834302e31303030382e332e312e312e31
  20 00 002e                              // presentation context, 46
    03 00 00 00                           // id 3, reserved
    30 00 0011                            // abstract syntax, 17
      312e322e3834302e31303030382e312e31
    40 00 0011                            // transfer syntax, 17
      312e322e3834302e31303030382e312e32
  50 00 000e                              // user information, 14
    51 00 0004 00004000                   // maximum length 16384
    52 00 0002 3132                       // implementation class UID
`);

Deno.test("an A-ASSOCIATE-RQ reads as PS3.8 Table 9-11 says and is written to the same bytes", () => {
  const pdu = decode(ASSOCIATE_RQ);
  assert.equal(pdu.type, PduType.AssociateRequest);
  assert.ok(pdu.type === PduType.AssociateRequest);
  assert.equal(pdu.protocolVersion, 1);
  assert.equal(pdu.calledAeTitle, "STORESCP");
  assert.equal(pdu.callingAeTitle, "MODALITY");
  assert.equal(pdu.applicationContext, "1.2.840.10008.3.1.1.1");
  assert.deepEqual(pdu.contexts, [
    { id: 3, abstractSyntax: "1.2.840.10008.1.1", transferSyntaxes: ["1.2.840.10008.1.2"] },
  ]);
  assert.equal(pdu.userInformation.maxPduLength, 16384);
  assert.equal(pdu.userInformation.implementationClassUid, "12");
  const { rawAeTitles: _, ...rest } = pdu;
  assert.equal(hex(encodeControlPdu(rest)), hex(ASSOCIATE_RQ));
});

// PS3.8 Tables 9-17 and 9-18.
const ASSOCIATE_AC = bytes(`
  02 00 00000096                          // type, reserved, length 150
  0001 0000
  53544f52455343502020202020202020
  4d4f44414c4954592020202020202020
  0000000000000000000000000000000000000000000000000000000000000000
  10 00 0015
    312e322e3834302e31303030382e332e312e312e31
  21 00 0019                              // presentation context, 25
    03 00 00 00                           // id 3, reserved, result 0, reserved
    40 00 0011
      312e322e3834302e31303030382e312e32
  21 00 0008
    05 00 03 00                           // id 5, result 3
    40 00 0000                            // not significant
  50 00 000c
    51 00 0004 00000000
    52 00 0000
`);

Deno.test("an A-ASSOCIATE-AC reads as PS3.8 Table 9-17 says and is written to the same bytes", () => {
  const pdu = decode(ASSOCIATE_AC);
  assert.ok(pdu.type === PduType.AssociateAccept);
  assert.deepEqual(pdu.contexts, [
    { id: 3, result: 0, transferSyntax: "1.2.840.10008.1.2" },
    { id: 5, result: 3, transferSyntax: "" },
  ]);
  assert.equal(pdu.userInformation.maxPduLength, 0);
  assert.equal(hex(encodeControlPdu(pdu)), hex(ASSOCIATE_AC));
});

Deno.test("an answer sends both AE title fields back as they came, reserved bytes and all", () => {
  const odd = ASSOCIATE_RQ.slice();
  odd.set(bytes("00 ff 20 41"), 10); // a called AE title no encoder of ours would write
  const pdu = decode(odd);
  assert.ok(pdu.type === PduType.AssociateRequest && pdu.rawAeTitles !== undefined);
  const answer = encodeControlPdu({
    type: PduType.AssociateAccept,
    protocolVersion: 1,
    calledAeTitle: "X",
    callingAeTitle: "Y",
    applicationContext: "1.2.840.10008.3.1.1.1",
    contexts: [],
    userInformation: NO_USER,
    rawAeTitles: pdu.rawAeTitles,
  });
  assert.equal(hex(answer.subarray(10, 42)), hex(odd.subarray(10, 42)));
});

const SHORT: readonly [string, ControlPdu, Uint8Array][] = [
  [
    "A-ASSOCIATE-RJ (PS3.8 Table 9-21)",
    { type: PduType.AssociateReject, result: 1, source: 2, reason: 3 },
    bytes("03 00 00000004 00 01 02 03"), // reserved, result, source, reason
  ],
  [
    "A-RELEASE-RQ (PS3.8 Table 9-24)",
    { type: PduType.ReleaseRequest },
    bytes("05 00 00000004 00000000"),
  ],
  [
    "A-RELEASE-RP (PS3.8 Table 9-25)",
    { type: PduType.ReleaseResponse },
    bytes("06 00 00000004 00000000"),
  ],
  [
    "A-ABORT (PS3.8 Table 9-26)",
    { type: PduType.Abort, source: 2, reason: 6 },
    bytes("07 00 00000004 00 00 02 06"), // two reserved, source, reason
  ],
];

for (const [name, pdu, wire] of SHORT) {
  Deno.test(`${name} is these ten bytes in both directions`, () => {
    assert.equal(hex(encodeControlPdu(pdu)), hex(wire));
    assert.deepEqual(decode(wire), pdu);
  });
}

/** A user information item with every sub-item, and one that no table knows. PS3.7 Tables D.3-1 to D.3-15. */
const EVERY_SUB_ITEM = bytes(`
  51 00 0004 00008000
  52 00 0003 312e32
  53 00 0004 0000 0007                    // asynchronous operations: unlimited invoked, 7 performed
  54 00 0007 0003 312e33 01 00            // role selection: UID length, UID, SCU, SCP
  55 00 0004 4e414d45
  56 00 0008 0003 312e34 010203           // SOP class extended negotiation
  57 00 0013 0003 312e35 0003 312e36 0007 // common extended: SOP class, service class, related
       0002 3132 0001 39
  58 00 0009 02 01 0002 4142 0001 43      // user identity: type, response requested, primary, secondary
  59 00 0004 0002 4f4b                    // server response
  7e 00 0002 dead                         // none of the tables
`);

Deno.test("every user information sub-item of PS3.7 Annex D.3.3 is read, an unknown one kept aside", () => {
  const body = concat([
    ASSOCIATE_RQ.subarray(6, 74),
    bytes("50 00"),
    Uint8Array.of(EVERY_SUB_ITEM.length >> 8, EVERY_SUB_ITEM.length & 0xff),
    EVERY_SUB_ITEM,
  ]);
  const pdu = decodeControlPdu(PduType.AssociateRequest, body);
  assert.ok(pdu.type === PduType.AssociateRequest);
  assert.deepEqual(pdu.userInformation, {
    maxPduLength: 32768,
    implementationClassUid: "1.2",
    implementationVersionName: "NAME",
    asynchronousOperations: { invoked: 0, performed: 7 },
    roleSelections: [{ sopClassUid: "1.3", scu: true, scp: false }],
    sopClassExtended: [{ sopClassUid: "1.4", information: bytes("010203") }],
    sopClassCommonExtended: [
      { sopClassUid: "1.5", serviceClassUid: "1.6", relatedSopClassUids: ["12", "9"] },
    ],
    userIdentity: {
      type: 2,
      positiveResponseRequested: true,
      primary: bytes("4142"),
      secondary: bytes("43"),
    },
    userIdentityResponse: bytes("4f4b"),
    unknown: [{ type: 0x7e, data: bytes("dead") }],
  });
  const { rawAeTitles: _, ...rest } = pdu;
  const user = encodeControlPdu(rest).subarray(74 + 4); // behind an empty application context item
  assert.equal(hex(user.subarray(4)), hex(EVERY_SUB_ITEM));
});

Deno.test("items of unknown type and reserved bytes of any value change nothing (PS3.8 §9.3.1)", () => {
  const disturbed = ASSOCIATE_RQ.slice();
  for (const reserved of [1, 8, 9, 42, 73, 75, 100, 104, 105, 106]) disturbed[reserved] = 0xa5;
  const withUnknown = concat([
    disturbed.subarray(6, 74),
    bytes("99 00 0003 010203"),
    disturbed.subarray(74),
    bytes("00 ff 0000"),
  ]);
  const plain = decode(ASSOCIATE_RQ);
  const pdu = decodeControlPdu(PduType.AssociateRequest, withUnknown);
  assert.deepEqual(pdu, plain);
});

Deno.test("UIDs lose their padding, AE titles the spaces and NULs around them", () => {
  const padded = concat([
    bytes("0001 0000"),
    bytes("20 20 41 42 20 00 00 00 00 00 00 00 00 00 00 00"),
    bytes("43 20 44 20 20 20 20 20 20 20 20 20 20 20 20 20"),
    new Uint8Array(32),
    bytes("10 00 0004 312e3200"),
    bytes("20 00 0012 01 00 00 00 30 00 0004 312e3300 40 00 0002 3120"),
  ]);
  const pdu = decodeControlPdu(PduType.AssociateRequest, padded);
  assert.ok(pdu.type === PduType.AssociateRequest);
  assert.equal(pdu.calledAeTitle, "AB");
  assert.equal(pdu.callingAeTitle, "C D");
  assert.equal(pdu.applicationContext, "1.2");
  assert.deepEqual(pdu.contexts, [
    { id: 1, abstractSyntax: "1.3", transferSyntaxes: ["1"] },
  ]);
});

const uid = fc.stringMatching(/^[0-9.]{1,64}$/);
const blob = (maxLength: number) => fc.uint8Array({ maxLength });
const byte = fc.integer({ min: 0, max: 255 });
const aeTitle = fc.stringMatching(/^[!-~]([ -~]{0,14}[!-~])?$/);

const userInformation: fc.Arbitrary<UserInformation> = fc.record({
  maxPduLength: fc.integer({ min: 0, max: 0xffffffff }),
  implementationClassUid: uid,
  implementationVersionName: fc.stringMatching(/^([!-~]([ -~]{0,14}[!-~])?)?$/),
  asynchronousOperations: fc.record({
    invoked: fc.integer({ min: 0, max: 0xffff }),
    performed: fc.integer({ min: 0, max: 0xffff }),
  }),
  roleSelections: fc.array(
    fc.record({ sopClassUid: uid, scu: fc.boolean(), scp: fc.boolean() }),
    { maxLength: 3 },
  ),
  sopClassExtended: fc.array(
    fc.record({ sopClassUid: uid, information: blob(20) }),
    { maxLength: 3 },
  ),
  sopClassCommonExtended: fc.array(
    fc.record({
      sopClassUid: uid,
      serviceClassUid: uid,
      relatedSopClassUids: fc.array(uid, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  userIdentity: fc.record({
    type: byte,
    positiveResponseRequested: fc.boolean(),
    primary: blob(40),
    secondary: blob(40),
  }),
  userIdentityResponse: blob(40),
  unknown: fc.array(
    fc.record({ type: fc.integer({ min: 0x5a, max: 0xff }), data: blob(20) }),
    { maxLength: 3 },
  ),
}, {
  requiredKeys: [
    "maxPduLength",
    "implementationClassUid",
    "implementationVersionName",
    "roleSelections",
    "sopClassExtended",
    "sopClassCommonExtended",
    "unknown",
  ],
}) as fc.Arbitrary<UserInformation>;

const proposed: fc.Arbitrary<ProposedContext> = fc.record({
  id: byte,
  abstractSyntax: uid,
  transferSyntaxes: fc.array(uid, { maxLength: 4 }),
});
const answered: fc.Arbitrary<AnsweredContext> = fc.record({
  id: byte,
  result: byte,
  transferSyntax: fc.oneof(uid, fc.constant("")),
});

function associate<T extends 1 | 2, C>(type: T, context: fc.Arbitrary<C>) {
  return fc.record({
    type: fc.constant(type),
    protocolVersion: fc.integer({ min: 0, max: 0xffff }),
    calledAeTitle: aeTitle,
    callingAeTitle: aeTitle,
    applicationContext: uid,
    contexts: fc.array(context, { maxLength: 5 }),
    userInformation,
  });
}

const controlPdu = fc.oneof(
  associate(PduType.AssociateRequest, proposed),
  associate(PduType.AssociateAccept, answered),
  fc.record({
    type: fc.constant(PduType.AssociateReject),
    result: byte,
    source: byte,
    reason: byte,
  }),
  fc.constant({ type: PduType.ReleaseRequest }),
  fc.constant({ type: PduType.ReleaseResponse }),
  fc.record({ type: fc.constant(PduType.Abort), source: byte, reason: byte }),
) as fc.Arbitrary<ControlPdu>;

/** Without the null prototypes that the generator makes. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

Deno.test("whatever control PDU is written is read back the same", () => {
  fc.assert(
    fc.property(controlPdu, (pdu) => {
      const { rawAeTitles: _, ...found } = decode(encodeControlPdu(pdu)) as
        & ControlPdu
        & { rawAeTitles?: Uint8Array };
      assert.deepEqual(plain(found), plain(pdu));
    }),
    { numRuns: 500 },
  );
});

Deno.test("a PDU cut short anywhere, or of any bytes, is MalformedPdu or a PDU, never another throw", () => {
  function tries(type: number, body: Uint8Array): void {
    try {
      decodeControlPdu(type, body);
    } catch (error) {
      assert.ok(error instanceof MalformedPdu, String(error));
    }
  }
  for (const whole of [ASSOCIATE_RQ, ASSOCIATE_AC]) {
    for (let length = 0; length < whole.length - 6; length++) {
      tries(whole[0]!, whole.subarray(6, 6 + length));
    }
  }
  for (const [, , wire] of SHORT) {
    for (const length of [0, 1, 2, 3, 5, 100]) {
      assert.throws(
        () => decodeControlPdu(wire[0]!, new Uint8Array(length)),
        MalformedPdu,
        `type ${wire[0]} with ${length} bytes`,
      );
    }
  }
  fc.assert(fc.property(byte, blob(300), tries), { numRuns: 2000 });
  // Bytes of a real PDU, some of them changed: deep in the items rather than at the door.
  const real = concat([
    ASSOCIATE_RQ.subarray(6, 74),
    ASSOCIATE_RQ.subarray(74, 74 + 25 + 50),
    bytes("50 00"),
    Uint8Array.of(EVERY_SUB_ITEM.length >> 8, EVERY_SUB_ITEM.length & 0xff),
    EVERY_SUB_ITEM,
  ]);
  const change = fc.tuple(fc.integer({ min: 68, max: real.length - 1 }), byte);
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = real.slice();
      for (const [at, value] of changes) changed[at] = value;
      tries(PduType.AssociateRequest, changed);
    }),
    { numRuns: 5000 },
  );
});

const LIES: readonly [string, number, string][] = [
  ["an item of more bytes than the PDU has", 1, "10 00 0016 312e32"],
  ["stray bytes behind the last item", 1, "10 00 0001 31 00 00"],
  ["a presentation context of 3 bytes", 1, "20 00 0003 010000"],
  ["a sub-item of more bytes than its item has", 1, "20 00 000a 01000000 30 00 0009 3132"],
  ["an answered context of 3 bytes", 2, "21 00 0003 010000"],
  ["a maximum length of 3 bytes", 1, "50 00 0007 51 00 0003 000000"],
  ["asynchronous operations of 3 bytes", 1, "50 00 0007 53 00 0003 000000"],
  ["a role selection without roles", 1, "50 00 0008 54 00 0004 0002 3132"],
  ["a role selection of no bytes", 1, "50 00 0004 54 00 0000"],
  ["a UID longer than its extended negotiation", 1, "50 00 0008 56 00 0004 0003 3132"],
  ["a common extended negotiation without service class", 1, "50 00 0008 57 00 0004 0002 3132"],
  [
    "a related SOP class longer than its list",
    1,
    "50 00 000e 57 00 000a 0001 31 0001 32 0002 0001",
  ],
  ["a user identity of 1 byte", 1, "50 00 0005 58 00 0001 01"],
  ["a user identity without secondary field", 1, "50 00 0009 58 00 0005 01 00 0001 41"],
  ["a server response longer than its item", 1, "50 00 0007 59 00 0003 0002 41"],
];

for (const [name, type, items] of LIES) {
  Deno.test(`${name} is a malformed PDU`, () => {
    const body = concat([ASSOCIATE_RQ.subarray(6, 74), bytes(items)]);
    assert.throws(() => decodeControlPdu(type, body), MalformedPdu);
  });
}

Deno.test("a PDU type that PS3.8 does not have is answered with reason 1, a bad length with 6", () => {
  for (let type = 0; type < 256; type++) {
    assert.equal(isKnownPduType(type), type >= 1 && type <= 7, `type ${type}`);
    if (type === PduType.Data || !isKnownPduType(type)) {
      assert.throws(() => decodeControlPdu(type, new Uint8Array(4)), (error: unknown) => {
        assert.ok(error instanceof MalformedPdu);
        assert.equal(error.reason, AbortReason.UnrecognizedPdu);
        return true;
      });
    }
  }
  assert.throws(
    () => decodeControlPdu(PduType.Abort, new Uint8Array(3)),
    (error: unknown) => error instanceof MalformedPdu && error.reason === 6,
  );
});

Deno.test("what has no legal encoding is a RangeError, never a wrong PDU", () => {
  const request = decode(ASSOCIATE_RQ);
  assert.ok(request.type === PduType.AssociateRequest);
  const { rawAeTitles: _, ...ours } = request;
  assert.throws(
    () => encodeControlPdu({ ...ours, calledAeTitle: "A".repeat(17) }),
    RangeError,
  );
  const long = { type: 0x70, data: new Uint8Array(65536) };
  assert.throws(
    () =>
      encodeControlPdu({ ...ours, userInformation: { ...ours.userInformation, unknown: [long] } }),
    RangeError,
  );
  assert.throws(
    () =>
      encodeControlPdu({
        ...ours,
        userInformation: {
          ...ours.userInformation,
          userIdentityResponse: new Uint8Array(65534),
        },
      }),
    RangeError,
  );
});

Deno.test("item types are those of the tables", () => {
  assert.deepEqual(Object.values(ItemType), [
    0x10,
    0x20,
    0x21,
    0x30,
    0x40,
    0x50,
    0x51,
    0x52,
    0x53,
    0x54,
    0x55,
    0x56,
    0x57,
    0x58,
    0x59,
  ]);
});
