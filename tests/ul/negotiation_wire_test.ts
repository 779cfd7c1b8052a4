/*
 * Negotiation as it goes over the wire: requests that say all a request can say, and more, and what our answer says; and
 * answers of that kind to a request of ours.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { IMPLICIT_VR_LE, VERIFICATION } from "../../src/dicom/uid.ts";
import { ServiceUser } from "../../src/dimse/scu.ts";
import {
  type AssociateAccept,
  type AssociateRequest,
  PduType,
  type ProposedContext,
  type UserInformation,
} from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import { encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import { bytes, noise } from "../helpers/hex.ts";
import {
  associateAccept,
  associateRequest,
  commandPdu,
  CONTEXTS,
  CT,
  EXPLICIT,
  JPEG,
  MR,
  rawPdu,
  RELEASE_RQ,
  userInformation,
} from "../helpers/pdus.ts";
import type { Peer } from "../helpers/peer.ts";
import { withReceived, withRequesting } from "../helpers/served.ts";

/** Sends a request and gives the answer, PDU and decoded; everything but MR is served. */
async function negotiated(request: Uint8Array): Promise<AssociateAccept & { body: Uint8Array }> {
  let answer: (AssociateAccept & { body: Uint8Array }) | undefined;
  await withReceived(request, async (peer, association, received) => {
    await association.accept(received, (abstractSyntax) => abstractSyntax !== MR);
    const body = await peer.expectPdu(PduType.AssociateAccept);
    answer = { ...decodeControlPdu(PduType.AssociateAccept, body) as AssociateAccept, body };
    const released = association.next(false);
    await peer.send(RELEASE_RQ);
    assert.deepEqual(await released, { type: "release" }, "the association is a usable one");
  }, { maxPduLength: 32_768 });
  return answer!;
}

/** What our answers say of ourselves, and nothing more. */
function assertPlain(user: UserInformation): void {
  assert.equal(user.maxPduLength, 32_768);
  assert.ok(user.implementationClassUid !== "");
  assert.deepEqual(user.roleSelections, []);
  assert.deepEqual(user.sopClassExtended, []);
  assert.deepEqual(user.sopClassCommonExtended, []);
  assert.deepEqual(user.unknown, []);
  assert.equal(user.asynchronousOperations, undefined);
  assert.equal(user.userIdentity, undefined);
  assert.equal(user.userIdentityResponse, undefined);
}

Deno.test("128 contexts of 65 transfer syntaxes each are answered over the wire, each once, with one of its own", async () => {
  const contexts = Array.from({ length: 128 }, (_, n): ProposedContext => ({
    id: 2 * n + 1,
    abstractSyntax: `1.2.3.${n}`,
    transferSyntaxes: Array.from({ length: 65 }, (_, k) => `1.2.4.${n}.${k}`),
  }));
  const answer = await negotiated(associateRequest(contexts));
  assert.deepEqual(
    answer.contexts,
    contexts.map(({ id }, n) => ({ id, result: 0, transferSyntax: `1.2.4.${n}.0` })),
  );
});

Deno.test("the same SOP class in several contexts, repeated ids and syntaxes, and one not served: each id is answered once", async () => {
  const answer = await negotiated(associateRequest([
    { id: 1, abstractSyntax: CT, transferSyntaxes: [JPEG] },
    { id: 3, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] },
    { id: 5, abstractSyntax: CT, transferSyntaxes: [IMPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT] },
    { id: 7, abstractSyntax: MR, transferSyntaxes: [EXPLICIT] },
    { id: 9, abstractSyntax: CT, transferSyntaxes: [] },
    { id: 3, abstractSyntax: CT, transferSyntaxes: [JPEG] },
    { id: 4, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] },
  ]));
  assert.deepEqual(answer.contexts.map(({ id, result }) => [id, result]), [
    [1, 0],
    [3, 0],
    [5, 0],
    [7, 3],
    [9, 4],
    [4, 2],
  ]);
  assert.deepEqual(
    answer.contexts.slice(0, 3).map(({ transferSyntax }) => transferSyntax),
    [JPEG, EXPLICIT, IMPLICIT_VR_LE],
  );
});

const ASKED: readonly [string, Partial<UserInformation>][] = [
  ...[0, 1, 50].map((window): [string, Partial<UserInformation>] => [
    `an asynchronous operations window of ${window}`,
    { asynchronousOperations: { invoked: window, performed: window } },
  ]),
  ...[1, 2, 3, 4, 5].map((type): [string, Partial<UserInformation>] => [
    `a user identity of type ${type} that wants a response`,
    {
      userIdentity: {
        type,
        positiveResponseRequested: true,
        primary: noise(40),
        secondary: type === 2 ? noise(8) : new Uint8Array(0),
      },
    },
  ]),
  ["both roles of a SOP class", {
    roleSelections: [{ sopClassUid: CT, scu: true, scp: true }, {
      sopClassUid: CT,
      scu: false,
      scp: true,
    }],
  }],
  ["SOP class extended negotiation", {
    sopClassExtended: [{ sopClassUid: CT, information: noise(6) }],
  }],
  ["SOP class common extended negotiation", {
    sopClassCommonExtended: [{
      sopClassUid: CT,
      serviceClassUid: "1.2.840.10008.4.2",
      relatedSopClassUids: [MR, "1.2.3"],
    }],
  }],
  ["sub-items of every unknown type", {
    unknown: Array.from({ length: 0x100 - 0x5a }, (_, n) => ({ type: 0x5a + n, data: noise(n) })),
  }],
];

for (const [name, asked] of ASKED) {
  // What is not in the answer has not been agreed on: one operation at a time, the default roles, no identity checked
  // (PS3.7 §D.3.3.3, §D.3.3.4, §D.3.3.7).
  Deno.test(`a request with ${name} is accepted, and the answer says nothing of it`, async () => {
    const user = { ...userInformation(16384), ...asked };
    const answer = await negotiated(associateRequest(CONTEXTS, 16384, { userInformation: user }));
    assert.deepEqual(answer.contexts.map(({ id, result }) => [id, result]), [[1, 0], [3, 0]]);
    assertPlain(answer.userInformation);
  });
}

Deno.test("items and sub-items of unknown types anywhere in a request are passed over (PS3.8 §9.3.1)", async () => {
  const strange = (type: number) => Uint8Array.of(type, 0xff, 0, 3, 1, 2, 3);
  const context = concat([
    bytes("03 aa bb cc"),
    strange(0x31),
    bytes("30 00 0005"),
    new TextEncoder().encode("1.2.3"),
    strange(0xff),
    bytes("40 00 0011"),
    new TextEncoder().encode(IMPLICIT_VR_LE),
    strange(0x00),
  ]);
  const plain = associateRequest([]);
  const unknown = [0x00, 0x11, 0x22, 0x60, 0x7f, 0x80, 0xff].map(strange);
  const body = concat([
    plain.subarray(6, 74),
    ...unknown,
    Uint8Array.of(0x20, 0, context.length >> 8, context.length & 0xff),
    context,
    plain.subarray(74),
    ...unknown,
  ]);
  const answer = await negotiated(rawPdu(PduType.AssociateRequest, body));
  assert.deepEqual(answer.contexts, [{ id: 3, result: 0, transferSyntax: IMPLICIT_VR_LE }]);
  assertPlain(answer.userInformation);
});

/** Answers our request with this user information, and takes our echoes. */
async function acceptWith(peer: Peer, user: UserInformation): Promise<AssociateRequest> {
  const body = await peer.expectPdu(PduType.AssociateRequest);
  const request = decodeControlPdu(PduType.AssociateRequest, body) as AssociateRequest;
  const plain = associateAccept(
    request.contexts.map(({ id, transferSyntaxes }) => ({
      id,
      result: 0,
      transferSyntax: transferSyntaxes[0]!,
    })),
  );
  const accept = decodeControlPdu(PduType.AssociateAccept, plain.subarray(6)) as AssociateAccept;
  await peer.send(encodeControlPdu({ ...accept, userInformation: user }));
  return request;
}

Deno.test("a request of ours asks for no window, role, identity or extension, and lives with an answer that grants them", () =>
  withRequesting(async (peer, requested) => {
    const request = await acceptWith(peer, {
      ...userInformation(16384),
      asynchronousOperations: { invoked: 50, performed: 50 },
      roleSelections: [{ sopClassUid: CT, scu: true, scp: true }],
      sopClassExtended: [{ sopClassUid: CT, information: noise(3) }],
      userIdentityResponse: noise(9),
      unknown: [{ type: 0x5a, data: noise(4) }, { type: 0xff, data: noise(0) }],
    });
    assertPlain(request.userInformation);
    const association = await requested;
    assert.equal(association.acceptedContexts.size, 2);
    const user = new ServiceUser(association, 5000);
    const echoed = user.echo(1, VERIFICATION);
    await peer.expectPdu(PduType.Data);
    await peer.send(commandPdu(1, {
      commandField: 0x8030,
      messageIdBeingRespondedTo: 1,
      commandDataSetType: 0x0101,
      status: 0,
    }));
    assert.deepEqual(await echoed, { status: 0, comment: "" });
  }, { maxPduLength: 32_768 }));

Deno.test("an answer may come in any order of its contexts, without some and with strangers among them", () =>
  withRequesting(async (peer, requested) => {
    await peer.expectPdu(PduType.AssociateRequest);
    await peer.send(associateAccept([
      { id: 201, result: 0, transferSyntax: EXPLICIT },
      { id: 3, result: 0, transferSyntax: EXPLICIT },
    ]));
    const association = await requested;
    assert.deepEqual([...association.acceptedContexts.keys()], [3]);
    assert.equal(
      association.carriage({ sopClassUid: VERIFICATION, transferSyntaxUid: IMPLICIT_VR_LE }).kind,
      "sop-class-refused",
    );
  }));
