/*
 * Associations over loopback sockets against a scripted peer: both roles, every way to end, and what the peer gets to
 * see of it.
 */

import assert from "node:assert/strict";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import { Association } from "../../src/ul/association.ts";
import { type AssociateAccept, PduType } from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import { encodeCommandPdus } from "../../src/ul/pdu_encode.ts";
import { bytes, hex, noise } from "../helpers/hex.ts";
import {
  associateAccept,
  associateRequest,
  CT,
  dataPdu,
  EXPLICIT,
  pdv,
  pdvsOf,
  rawPdu,
  reject,
  RELEASE_RP,
  RELEASE_RQ,
  USER_ABORT,
} from "../helpers/pdus.ts";
import {
  endsAs,
  established,
  expectAbort,
  OPTIONS,
  withConnection,
  withReceived,
} from "../helpers/served.ts";

const ALL = () => true;

Deno.test("an acceptor tells who asks, accepts, exchanges data and is released by the peer", () =>
  withReceived(associateRequest(), async (peer, association, request) => {
    assert.equal(association.callingAeTitle, "MODALITY");
    assert.equal(association.calledAeTitle, "FORWARDER");
    assert.equal(association.peerImplementation, "SCRIPTED");
    assert.equal(association.established, false);
    await association.accept(request, (abstractSyntax) => abstractSyntax === CT);
    assert.equal(association.established, true);
    const body = await peer.expectPdu(PduType.AssociateAccept);
    const answer = decodeControlPdu(PduType.AssociateAccept, body) as AssociateAccept;
    assert.equal(answer.protocolVersion, 1);
    assert.equal(answer.applicationContext, APPLICATION_CONTEXT);
    assert.equal(answer.userInformation.maxPduLength, 16384);
    assert.deepEqual(answer.contexts.map(({ id, result }) => [id, result]), [[1, 3], [3, 0]]);
    assert.deepEqual([...association.acceptedContexts.values()], [
      { id: 3, abstractSyntax: CT, transferSyntax: EXPLICIT },
    ]);

    await peer.send(dataPdu(pdv(3, "command", true, noise(10))));
    const piece = await association.next(false);
    assert.ok(piece.type === PduType.Data);
    assert.equal(hex(piece.bytes), hex(noise(10)));
    await association.send(encodeCommandPdus(3, noise(20), 1000));
    const [sent] = pdvsOf(await peer.expectPdu(PduType.Data));
    assert.equal(hex(sent!.fragment), hex(noise(20)));

    await peer.send(RELEASE_RQ);
    assert.deepEqual(await association.next(false), { type: "release" });
    const released = association.respondRelease();
    await peer.expectPdu(PduType.ReleaseResponse);
    peer.close();
    await released;
    assert.equal(association.established, false);
    await assert.rejects(association.next(false), endsAs("stopped"));
    await assert.rejects(association.send(noise(1)), endsAs("stopped"));
  }));

Deno.test("both AE titles go back in the answer as they came, byte for byte", () => {
  const request = associateRequest();
  request.set(bytes("20 61 62 00 e9 20"), 10);
  return withReceived(request, async (peer, association, decoded) => {
    assert.equal(association.calledAeTitle.slice(0, 2), "ab");
    await association.accept(decoded, ALL);
    const body = await peer.expectPdu(PduType.AssociateAccept);
    assert.equal(hex(body.subarray(4, 36)), hex(request.subarray(10, 42)));
  });
});

Deno.test("a rejection carries its numbers and waits for the peer to close", () =>
  withReceived(associateRequest(), async (peer, association) => {
    const rejected = association.reject(2, 3, 2);
    assert.equal(hex(await peer.expectPdu(PduType.AssociateReject)), "00 02 03 02");
    peer.close();
    await rejected;
    await association.closed;
  }));

Deno.test("a peer that does not close after a rejection is closed when ARTIM runs out", () =>
  withReceived(associateRequest(), async (peer, association) => {
    const began = performance.now();
    await association.reject(1, 1, 7);
    assert.ok(performance.now() - began < 2000);
    await peer.expectPdu(PduType.AssociateReject);
    await peer.receiveRest();
  }, { associationMs: 100 }));

Deno.test("an abort by this side is an A-ABORT of the service user, and everything after it fails", () =>
  established(async (peer, association) => {
    const waiting = association.next(false);
    await association.abort("had enough");
    await assert.rejects(waiting, endsAs("stopped", /had enough/));
    await assert.rejects(association.send(noise(2)), endsAs("stopped", /had enough/));
    await association.closed;
    await association.abort("again");
    await expectAbort(peer, 0, 0);
  }));

// The peer's ways to end, in each state where we wait for it, and what the caller hears.
Deno.test("no word at all in Sta2: the caller hears that the connection was closed", () =>
  withConnection(async (peer, transport) => {
    await peer.finish();
    await assert.rejects(Association.receive(transport, OPTIONS), endsAs("closed", /closed the/));
    await peer.receiveRest(1000);
  }));

Deno.test("a reset in Sta2 is a closed connection", () =>
  withConnection(async (peer, transport) => {
    peer.reset();
    await assert.rejects(Association.receive(transport, OPTIONS), endsAs("closed", /reset/));
  }));

Deno.test("an A-ABORT in Sta2 is an abort", () =>
  withConnection(async (peer, transport) => {
    await peer.send(USER_ABORT);
    await assert.rejects(Association.receive(transport, OPTIONS), endsAs("aborted", /application/));
    await peer.receiveRest(1000);
  }));

Deno.test("silence in Sta2 ends when ARTIM runs out", () =>
  withConnection(async (peer, transport) => {
    const began = performance.now();
    await assert.rejects(
      Association.receive(transport, { ...OPTIONS, associationMs: 80 }),
      endsAs("timeout", /no association request/),
    );
    assert.ok(performance.now() - began < 1000);
    await peer.receiveRest(1000);
  }));

Deno.test("a request that drips in byte by byte does not outlast ARTIM", () =>
  withConnection(async (peer, transport) => {
    const request = associateRequest();
    let at = 0;
    const drip = setInterval(() => void peer.send(request.subarray(at, ++at)).catch(() => {}), 20);
    try {
      await assert.rejects(
        Association.receive(transport, { ...OPTIONS, associationMs: 200 }),
        endsAs("timeout"),
      );
    } finally {
      clearInterval(drip);
    }
  }));

Deno.test("an A-ABORT, an end and a reset in Sta6 are told apart", async () => {
  await established(async (peer, association) => {
    await peer.send(bytes("07 00 00000004 00 00 02 06"));
    await assert.rejects(association.next(false), endsAs("aborted", /invalid PDU parameter/));
    await peer.receiveRest(1000);
  });
  await established(async (peer, association) => {
    await peer.finish();
    await assert.rejects(association.next(false), endsAs("closed", /closed the connection$/));
  });
  await established(async (peer, association) => {
    await peer.send(dataPdu(pdv(3, "data", false, noise(10))).subarray(0, 14));
    await association.next(true);
    await peer.finish();
    await assert.rejects(association.next(true), endsAs("closed", /in the middle of a message/));
  });
  await established(async (peer, association) => {
    const waiting = association.next(false);
    peer.reset();
    await assert.rejects(waiting, endsAs("closed", /reset/));
    await association.closed;
  });
});

Deno.test("the error that ended an association is the one every later call gives", () =>
  established(async (peer, association) => {
    await peer.send(USER_ABORT);
    await assert.rejects(association.next(false), endsAs("aborted"));
    await assert.rejects(association.next(false), endsAs("aborted"));
    await assert.rejects(association.send(noise(2)), endsAs("aborted"));
    await assert.rejects(association.release(), endsAs("aborted"));
    await association.abort();
  }));

// What has no place in the state gets A-ABORT by the service provider.
const UNEXPECTED_IN_STA2: readonly [string, Uint8Array][] = [
  ["an A-ASSOCIATE-AC", associateAccept([])],
  ["an A-ASSOCIATE-RJ", reject(1, 1, 1)],
  ["a P-DATA-TF", dataPdu(pdv(1, "command", true, noise(4)))],
  ["an A-RELEASE-RQ", RELEASE_RQ],
  ["an A-RELEASE-RP", RELEASE_RP],
];

for (const [name, pdu] of UNEXPECTED_IN_STA2) {
  Deno.test(`${name} in Sta2 gets A-ABORT, source 2, unexpected PDU`, () =>
    withConnection(async (peer, transport) => {
      await peer.send(pdu);
      await assert.rejects(
        Association.receive(transport, OPTIONS),
        endsAs("protocol", /unexpected PDU type/),
      );
      await expectAbort(peer, 2, 2);
    }));
}

const UNEXPECTED_IN_STA6: readonly [string, Uint8Array][] = [
  ["an A-ASSOCIATE-RQ", associateRequest()],
  ["an A-ASSOCIATE-AC", associateAccept([])],
  ["an A-ASSOCIATE-RJ", reject(1, 1, 1)],
  ["an A-RELEASE-RP", RELEASE_RP],
];

for (const [name, pdu] of UNEXPECTED_IN_STA6) {
  Deno.test(`${name} in Sta6 gets A-ABORT, source 2, unexpected PDU`, () =>
    established(async (peer, association) => {
      await peer.send(pdu);
      await assert.rejects(association.next(false), endsAs("protocol", /unexpected PDU type/));
      await expectAbort(peer, 2, 2);
    }));
}

Deno.test("an A-RELEASE-RQ inside a message gets A-ABORT", () =>
  established(async (peer, association) => {
    await peer.send(dataPdu(pdv(3, "data", false, noise(4))), RELEASE_RQ);
    await association.next(true);
    await assert.rejects(association.next(true), endsAs("protocol", /inside a message/));
    await expectAbort(peer, 2, 2);
  }));

Deno.test("a P-DATA-TF over our maximum gets A-ABORT before its body is sent", () =>
  established(async (peer, association) => {
    await peer.send(rawPdu(PduType.Data, new Uint8Array(0), 16385));
    await assert.rejects(association.next(false), endsAs("protocol", /16385 bytes/));
    await expectAbort(peer, 2, 6);
  }));

const NOT_DICOM: readonly [string, Uint8Array][] = [
  ["an HTTP request", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["a TLS hello", bytes("16 03 01 02 00 01 00 01 fc 03 03")],
  ["an SSH greeting", new TextEncoder().encode("SSH-2.0-OpenSSH_9.2\r\n")],
  ["an HL7 message", new TextEncoder().encode("\x0bMSH|^~\\&|A|B\r\x1c\r")],
  ["random bytes", Uint8Array.of(0x9d, ...noise(5000))],
];

for (const [name, greeting] of NOT_DICOM) {
  Deno.test(`${name} gets A-ABORT, unrecognised PDU, and is closed within a second`, () =>
    withConnection(async (peer, transport) => {
      const began = performance.now();
      await peer.send(greeting);
      await assert.rejects(Association.receive(transport, OPTIONS), endsAs("protocol"));
      await expectAbort(peer, 2, 1, name !== "random bytes");
      assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
    }));
}

Deno.test("a stream of garbage does not hold the connection open after the A-ABORT", () =>
  withConnection(async (peer, transport) => {
    const began = performance.now();
    const flood = setInterval(() => void peer.send(noise(1000)).catch(() => {}), 10);
    try {
      await peer.send(bytes("47"), noise(5));
      await assert.rejects(Association.receive(transport, OPTIONS), endsAs("protocol"));
      await peer.receiveRest(1500);
      assert.ok(performance.now() - began < 1500);
    } finally {
      clearInterval(flood);
    }
  }));

Deno.test("a peer that answers our rejection with A-ABORT is let go at once, not when ARTIM runs out", () =>
  withReceived(associateRequest(), async (peer, association) => {
    const rejecting = association.reject(1, 1, 7);
    await peer.expectPdu(PduType.AssociateReject);
    await peer.send(USER_ABORT);
    assert.equal((await peer.receiveRest(2000)).length, 0);
    await rejecting;
  }, { associationMs: 60_000 }));

Deno.test("a release collision whose second answer never comes is a time-out, not an end in order", () =>
  established(async (peer, association) => {
    const releasing = association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RQ);
    await assert.rejects(releasing, endsAs("timeout", /no answer to the release request/));
  }, { releaseMs: 200 }));
