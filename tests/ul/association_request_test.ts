/*
 * Associations over loopback sockets against a scripted peer: requests of ours, what we send within the
 * peer's limits, time-outs, and release in both roles.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { APPLICATION_CONTEXT, IMPLICIT_VR_LE, VERIFICATION } from "../../src/dicom/uid.ts";
import type { AssociationError } from "../../src/ul/association_error.ts";
import { type AssociateRequest, PduType } from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import { encodeCommandPdus } from "../../src/ul/pdu_encode.ts";
import { bytes, hex, noise } from "../helpers/hex.ts";
import {
  acceptAssociation,
  associateAccept,
  associateRequest,
  CONTEXTS,
  CT,
  dataPdu,
  EXPLICIT,
  JPEG,
  MR,
  pdv,
  pdvsOf,
  rawPdu,
  reject,
  RELEASE_RP,
  RELEASE_RQ,
} from "../helpers/pdus.ts";
import {
  endsAs,
  established,
  expectAbort,
  withReceived,
  withRequesting,
} from "../helpers/served.ts";

const ALL = () => true;

// Requests of ours.
Deno.test("a request of ours says who asks whom for what, and data goes over it after the answer", () =>
  withRequesting(async (peer, requested) => {
    const body = await peer.expectPdu(PduType.AssociateRequest);
    const request = decodeControlPdu(PduType.AssociateRequest, body) as AssociateRequest;
    assert.equal(request.protocolVersion, 1);
    assert.equal(request.calledAeTitle, "PACS");
    assert.equal(request.callingAeTitle, "FORWARDER");
    assert.equal(request.applicationContext, APPLICATION_CONTEXT);
    assert.deepEqual(request.contexts, CONTEXTS);
    assert.equal(request.userInformation.maxPduLength, 16384);
    assert.equal(request.userInformation.asynchronousOperations, undefined, "one at a time");
    await peer.send(associateAccept([
      { id: 1, result: 0, transferSyntax: IMPLICIT_VR_LE },
      { id: 3, result: 4, transferSyntax: EXPLICIT },
    ], 4096));
    const association = await requested;
    assert.equal(association.established, true);
    assert.equal(association.fragmentLength, 4090);
    assert.equal(association.peerImplementation, "SCRIPTED");
    assert.deepEqual([...association.acceptedContexts.values()], [
      { id: 1, abstractSyntax: VERIFICATION, transferSyntax: IMPLICIT_VR_LE },
    ]);
    assert.equal(
      association.carriage({ sopClassUid: CT, transferSyntaxUid: EXPLICIT }).kind,
      "transfer-syntax-refused",
    );
    const released = association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RP);
    await released;
    await peer.receiveRest(1000);
  }));

Deno.test("an accepted context whose transfer syntax was never proposed carries nothing", () =>
  withRequesting(
    async (peer, requested) => {
      await peer.expectPdu(PduType.AssociateRequest);
      await peer.send(associateAccept([
        { id: 1, result: 0, transferSyntax: JPEG },
        { id: 9, result: 0, transferSyntax: EXPLICIT },
      ]));
      const association = await requested;
      assert.equal(association.acceptedContexts.size, 0);
    },
    {},
    [{ id: 1, abstractSyntax: MR, transferSyntaxes: [EXPLICIT] }],
  ));

for (
  const [result, source, reason, words] of [
    [1, 1, 7, /for good: called AE title not recognised/],
    [1, 1, 3, /for good: calling AE title not recognised/],
    [2, 3, 2, /for now: local limit exceeded/],
    [1, 2, 2, /for good: protocol version not supported/],
    [1, 9, 9, /source 9, reason 9/],
  ] as const
) {
  Deno.test(`a rejection ${result}.${source}.${reason} reaches the caller with its numbers and words`, () =>
    withRequesting(async (peer, association) => {
      await peer.expectPdu(PduType.AssociateRequest);
      await peer.send(reject(result, source, reason));
      await assert.rejects(association, (error: unknown) => {
        endsAs("rejected", words)(error);
        const { reject } = error as AssociationError;
        assert.deepEqual(reject, { type: PduType.AssociateReject, result, source, reason });
        return true;
      });
      await peer.receiveRest(1000);
    }));
}

Deno.test("an abort, an end and silence instead of an answer are told apart", async () => {
  await withRequesting(async (peer, association) => {
    await peer.expectPdu(PduType.AssociateRequest);
    await peer.send(bytes("07 00 00000004 00 00 02 02"));
    await assert.rejects(association, endsAs("aborted", /unexpected PDU/));
  });
  await withRequesting(async (peer, association) => {
    await peer.expectPdu(PduType.AssociateRequest);
    await peer.finish();
    await assert.rejects(association, endsAs("closed"));
  });
  await withRequesting(async (peer, association) => {
    await peer.expectPdu(PduType.AssociateRequest);
    await assert.rejects(association, endsAs("timeout", /no answer to the association request/));
    await peer.receiveRest(1000);
  }, { associationMs: 60 });
});

Deno.test("an answer that is malformed gets A-ABORT", () =>
  withRequesting(async (peer, association) => {
    await peer.expectPdu(PduType.AssociateRequest);
    await peer.send(rawPdu(PduType.AssociateAccept, noise(20)));
    await assert.rejects(association, endsAs("protocol", /at least 68/));
    await expectAbort(peer, 2, 6);
  }));

// Peer's maximum PDU length (PS3.8 §D.1).
for (const maximum of [1, 2, 3, 4, 5, 6, 7]) {
  Deno.test(`a peer whose maximum PDU length is ${maximum} cannot be sent anything: a breach of protocol`, async () => {
    await withRequesting(async (peer, association) => {
      await acceptAssociation(peer, maximum);
      await assert.rejects(association, endsAs("protocol", /no room for data/));
      await peer.expectPdu(PduType.Abort);
      await peer.receiveRest(1000);
    });
    await withReceived(associateRequest(CONTEXTS, maximum), async (peer, association, request) => {
      await assert.rejects(
        association.accept(request, ALL),
        endsAs("protocol", /no room for data/),
      );
      await peer.expectPdu(PduType.Abort);
      await peer.receiveRest(1000);
    });
  });
}

for (const maximum of [0, 8, 12, 128, 4096, 16384, 131072, 0xffffffff]) {
  Deno.test(`what is sent to a peer whose maximum PDU length is ${maximum} stays within it and 128 KiB`, () =>
    withRequesting(async (peer, requested) => {
      await acceptAssociation(peer, maximum);
      const association = await requested;
      const limit = maximum === 0 ? 131072 : Math.min(maximum, 131072);
      assert.equal(association.fragmentLength, limit - 6);
      const command = noise(Math.min(300_000, association.fragmentLength * 3 + 1));
      void association.send(encodeCommandPdus(1, command, association.fragmentLength));
      const found: Uint8Array[] = [];
      for (let last = false; !last;) {
        const body = await peer.expectPdu(PduType.Data);
        assert.ok(body.length <= limit, `${body.length} bytes`);
        const [one, more] = pdvsOf(body);
        assert.equal(more, undefined);
        found.push(one!.fragment);
        last = one!.last;
      }
      assert.equal(hex(concat(found)), hex(command));
    }));
}

// Time-outs in Sta6 (names are for the log).
Deno.test("an idle association, one that stops mid-message and one that takes nothing time out by name", async () => {
  await established(async (peer, association) => {
    await assert.rejects(association.next(false), endsAs("timeout", /association idle/));
    // The peer hears an abort rather than nothing.
    await peer.expectPdu(PduType.Abort);
    await peer.receiveRest(1000);
  }, { idleMs: 60 });
  await established(async (peer, association) => {
    await peer.send(dataPdu(pdv(3, "data", false, noise(4))));
    await association.next(true);
    await assert.rejects(association.next(true), endsAs("timeout", /message not finished/));
    await peer.receiveRest(1000);
  }, { readMs: 60 });
  await established(async (peer, association) => {
    await peer.send(dataPdu(pdv(3, "data", false, noise(100))).subarray(0, 40));
    const piece = await association.next(false);
    assert.ok(piece.type === PduType.Data && piece.bytes.length === 28);
    await assert.rejects(association.next(true), endsAs("timeout", /message not finished/));
  }, { readMs: 60 });
  await established(async (peer, association) => {
    peer.stopReading();
    await assert.rejects(async () => {
      for (let n = 0; n < 100; n++) await association.send(new Uint8Array(1 << 20));
    }, endsAs("timeout", /takes no data/));
    await assert.rejects(association.send(noise(2)), endsAs("timeout", /takes no data/));
    await association.closed;
  }, { writeStallMs: 100 });
});

Deno.test("an answer that does not come in time is named as the caller named it", () =>
  established(async (peer, association) => {
    association.expectWithin(60, "no answer to the request");
    await assert.rejects(association.next(false), endsAs("timeout", /no answer to the request/));
    await peer.receiveRest(1000);
  }));

// Release.
Deno.test("a release nobody answers times out", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const association = await requested;
    const released = association.release();
    await assert.rejects(released, endsAs("timeout", /no answer to the release request/));
  }, { releaseMs: 60 }));

Deno.test("data still under way when we release is passed over", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const released = (await requested).release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(dataPdu(pdv(1, "command", true, noise(30))), RELEASE_RP);
    await released;
  }));

Deno.test("a connection closed instead of a release answer is told", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const association = await requested;
    const released = association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.finish();
    await assert.rejects(released, endsAs("closed"));
    await association.closed;
  }));

Deno.test("a release collision ends in order for the requestor: it answers first, then awaits its answer", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const association = await requested;
    const released = association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RQ); // Sta9: AR-9
    await peer.expectPdu(PduType.ReleaseResponse);
    await peer.send(RELEASE_RP); // Sta11: AR-3
    await released;
    assert.equal((await peer.receiveRest(1000)).length, 0);
  }));

Deno.test("a release collision ends in order for the acceptor: it awaits the answer, then answers", () =>
  established(async (peer, association) => {
    const released = association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RQ); // Sta10
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(peer.waiting, 0, "no answer before the peer's");
    await peer.send(RELEASE_RP); // AR-10: Sta12, AR-4
    await peer.expectPdu(PduType.ReleaseResponse);
    peer.close();
    await released;
  }));

Deno.test("a peer that does not close after our release response is closed when ARTIM runs out", () =>
  established(async (peer, association) => {
    await peer.send(RELEASE_RQ);
    await association.next(false);
    await association.respondRelease();
    await peer.expectPdu(PduType.ReleaseResponse);
    await peer.receiveRest(1000);
  }, { associationMs: 80 }));

Deno.test("an abort in the middle of a write closes the connection and sends nothing into the data", () =>
  established(async (peer, association) => {
    peer.stopReading();
    const sending = (async () => {
      for (let n = 0; n < 100; n++) {
        await association.send(rawPdu(PduType.Data, new Uint8Array(1 << 20)));
      }
    })();
    const ended = assert.rejects(sending, endsAs("stopped", /stopping/));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await association.abort("stopping");
    await ended;
    peer.startReading();
    const rest = await peer.receiveRest();
    for (let at = 0; at + 6 <= rest.length; at += 6 + (1 << 20)) assert.equal(rest[at], 4);
  }));

const UNEXPECTED_IN_STA5: readonly [string, Uint8Array][] = [
  ["an A-ASSOCIATE-RQ", associateRequest()],
  ["a P-DATA-TF", dataPdu(pdv(1, "command", true, noise(4)))],
  ["an A-RELEASE-RQ", RELEASE_RQ],
  ["an A-RELEASE-RP", RELEASE_RP],
];

for (const [name, pdu] of UNEXPECTED_IN_STA5) {
  Deno.test(`${name} in Sta5 gets A-ABORT, source 2, unexpected PDU`, () =>
    withRequesting(async (peer, association) => {
      await peer.expectPdu(PduType.AssociateRequest);
      await peer.send(pdu);
      await assert.rejects(association, endsAs("protocol", /unexpected PDU type/));
      await expectAbort(peer, 2, 2);
    }));
}
