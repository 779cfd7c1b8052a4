/*
 * The cells of PS3.8 Table 9-10 on real associations: each state is driven to over a socket, each event is made to happen
 * there, and what goes over the wire and what follows is what the printed table says.
 *
 * Cells that no peer and no caller can bring about are listed with the reason; the list and the cells driven make up the
 * whole table.
 */

import assert from "node:assert/strict";
import { IMPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import type { Association } from "../../src/ul/association.ts";
import { AbortReason, PduType } from "../../src/ul/pdu.ts";
import type { Event } from "../../src/ul/state.ts";
import { bytes, hex, noise } from "../helpers/hex.ts";
import {
  associateAccept,
  associateRequest,
  dataPdu,
  EXPLICIT,
  pdv,
  rawPdu,
  reject,
  RELEASE_RP,
  RELEASE_RQ,
  USER_ABORT,
} from "../helpers/pdus.ts";
import type { Peer } from "../helpers/peer.ts";
import { endsAs, expectAbort } from "../helpers/served.ts";
import { CELLS, ORDER, printedAction } from "../helpers/state_table.ts";
import { type Role, type Situation, underWay, WAYS } from "../helpers/states.ts";

const DATA = dataPdu(pdv(3, "data", true, noise(10)));

/** Something a peer does: its name, how, and the reason it is aborted for where it is. */
interface Deed {
  readonly name: string;
  readonly event: Event;
  readonly reason: number;
  readonly legible: boolean;
  do(peer: Peer): Promise<void>;
}

function sends(event: Event, name: string, pdu: Uint8Array, reason: number): Deed {
  const legible = event !== "invalid-pdu";
  return { name, event, reason, legible, do: (peer) => peer.send(pdu) };
}

const ACCEPT = associateAccept([
  { id: 1, result: 0, transferSyntax: IMPLICIT_VR_LE },
  { id: 3, result: 0, transferSyntax: EXPLICIT },
]);
const { UnexpectedPdu, UnrecognizedPdu, InvalidParameter } = AbortReason;

const DEEDS: readonly Deed[] = [
  sends("associate-accept-pdu", "A-ASSOCIATE-AC", ACCEPT, UnexpectedPdu),
  sends("associate-reject-pdu", "A-ASSOCIATE-RJ", reject(1, 1, 7), UnexpectedPdu),
  sends("associate-request-pdu", "A-ASSOCIATE-RQ", associateRequest(), UnexpectedPdu),
  sends("data-pdu", "P-DATA-TF", DATA, UnexpectedPdu),
  sends("release-request-pdu", "A-RELEASE-RQ", RELEASE_RQ, UnexpectedPdu),
  sends("release-response-pdu", "A-RELEASE-RP", RELEASE_RP, UnexpectedPdu),
  sends("abort-pdu", "A-ABORT", USER_ABORT, UnexpectedPdu),
  sends("invalid-pdu", "a PDU of unknown type", rawPdu(0x2a, noise(4)), UnrecognizedPdu),
  sends("invalid-pdu", "an HTTP request", bytes("474554202f20"), UnrecognizedPdu),
  sends("invalid-pdu", "an A-RELEASE-RQ of 5 bytes", rawPdu(5, noise(5)), InvalidParameter),
  sends("invalid-pdu", "an A-ASSOCIATE-AC of 5 bytes", rawPdu(2, noise(5)), InvalidParameter),
  sends(
    "invalid-pdu",
    "a P-DATA-TF over our maximum",
    rawPdu(PduType.Data, new Uint8Array(0), 16385),
    InvalidParameter,
  ),
  sends(
    "invalid-pdu",
    "a P-DATA-TF whose PDV claims too much",
    dataPdu(bytes("000000ff 03 00 0000")),
    InvalidParameter,
  ),
  {
    name: "an end",
    event: "transport-closed",
    reason: 0,
    legible: true,
    do: (peer) => peer.finish(),
  },
  {
    name: "a reset",
    event: "transport-closed",
    reason: 0,
    legible: true,
    do: (peer) => Promise.resolve(peer.reset()),
  },
];

/** Does a deed and checks that what follows is what this action of Tables 9-6 to 9-9 does. */
async function follow(
  action: string,
  deed: Deed,
  role: Role,
  { peer, meet }: Situation,
): Promise<void> {
  const meeting = underWay(meet());
  await deed.do(peer);
  switch (action) {
    case "AA-1":
    case "AA-8":
      await expectAbort(peer, 2, deed.reason);
      await assert.rejects(meeting(), endsAs("protocol"));
      return;
    case "AA-3":
    case "AE-4": {
      const kind = action === "AE-4" ? "rejected" : "aborted";
      await assert.rejects(meeting(), endsAs(kind));
      return await closedInSilence(peer);
    }
    case "AA-4":
    case "AA-5":
      await assert.rejects(meeting(), endsAs("closed"));
      return await closedInSilence(peer);
    case "AE-3":
      assert.equal((await meeting() as Association).established, true);
      return;
    case "AE-6": {
      const { request } = await meeting() as { request: { callingAeTitle: string } };
      assert.equal(request.callingAeTitle, "MODALITY");
      return;
    }
    case "DT-2":
      assert.equal((await meeting() as { type: number }).type, PduType.Data);
      return;
    case "AR-2":
      assert.deepEqual(await meeting(), { type: "release" });
      return;
    case "AR-3":
      await meeting();
      return await closedInSilence(peer);
    case "AR-6":
      // Still Sta7: the data is passed over, and the answer is waited for.
      await peer.send(RELEASE_RP);
      await meeting();
      return await closedInSilence(peer);
    case "AR-8":
      // A requestor answers at once (Sta9, AR-9, Sta11); an acceptor waits for its own answer first (Sta10).
      if (role === "requestor") {
        await peer.expectPdu(PduType.ReleaseResponse);
        await peer.send(RELEASE_RP);
        await meeting();
        return await closedInSilence(peer);
      }
      assert.equal(peer.waiting, 0);
      await peer.send(RELEASE_RP);
      return await answersRelease(peer, meeting);
    case "AR-10":
      // Sta12, AR-4: Sta13.
      return await answersRelease(peer, meeting);
    case "AA-2":
    case "AR-5":
      await meeting().catch(endsAs("aborted"));
      return await closedInSilence(peer);
    case "AA-6":
      // Still Sta13, where an A-ABORT ends it and nothing was said before.
      await peer.send(USER_ABORT);
      await meeting();
      return await closedInSilence(peer);
    case "AA-7":
      assert.equal(
        hex(await peer.expectPdu(PduType.Abort)),
        hex(Uint8Array.of(0, 0, 2, deed.reason)),
      );
      if (deed.legible) await peer.send(USER_ABORT);
      else await peer.finish();
      await meeting();
      return await closedInSilence(peer);
    default:
      throw new Error(`the test knows nothing of ${action}`);
  }
}

async function answersRelease(peer: Peer, meeting: () => Promise<unknown>): Promise<void> {
  await peer.expectPdu(PduType.ReleaseResponse);
  await peer.finish();
  await meeting();
  await closedInSilence(peer);
}

/** Well before ARTIM or any other time-out could have done it. */
async function closedInSilence(peer: Peer): Promise<void> {
  assert.equal(hex(await peer.receiveRest(2000)), "");
}

/** What a caller does, in the states where the table lets it; and what is seen of it. */
const PRIMITIVES: readonly (readonly [Event, (situation: Situation) => Promise<void>])[] = [
  ["accept-primitive", async ({ peer, association, request }) => {
    await association!.accept(request!, () => true);
    await peer.expectPdu(PduType.AssociateAccept);
    assert.equal(association!.established, true);
  }],
  ["reject-primitive", async ({ peer, association }) => {
    const rejecting = association!.reject(2, 3, 1);
    assert.equal(hex(await peer.expectPdu(PduType.AssociateReject)), "00 02 03 01");
    await peer.finish();
    await rejecting;
  }],
  ["data-primitive", async ({ peer, association }) => {
    await association!.send(DATA);
    assert.equal(hex(await peer.expectPdu(PduType.Data)), hex(DATA.subarray(6)));
  }],
  ["release-request-primitive", async ({ peer, association }) => {
    const releasing = association!.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RP);
    await releasing;
    await closedInSilence(peer);
  }],
  ["release-response-primitive", async ({ peer, association }) => {
    const responding = association!.respondRelease();
    await peer.expectPdu(PduType.ReleaseResponse);
    await peer.finish();
    await responding;
    await closedInSilence(peer);
  }],
  ["abort-primitive", async ({ peer, association }) => {
    await association!.abort("had enough");
    await association!.closed;
    await assert.rejects(association!.next(false), endsAs("stopped", /had enough/));
    await expectAbort(peer, 0, 0);
  }],
];

/** Cells nobody can bring about, by role. */
interface Unreachable {
  readonly role: Role;
  readonly states: readonly number[];
  /** None for all that the table has there. */
  readonly events?: readonly Event[];
  readonly because: string;
}

const PDUS_AND_CLOSE: readonly Event[] = [
  "associate-accept-pdu",
  "associate-reject-pdu",
  "associate-request-pdu",
  "data-pdu",
  "release-request-pdu",
  "release-response-pdu",
  "abort-pdu",
  "transport-closed",
  "invalid-pdu",
];

const UNREACHABLE: readonly Unreachable[] = [
  { role: "acceptor", states: [4, 5, 9, 11], because: "these are the requestor's" },
  { role: "requestor", states: [2, 3, 10, 12], because: "these are the acceptor's" },
  {
    role: "acceptor",
    states: [1],
    events: ["associate-request-primitive"],
    because: "it is the requestor's",
  },
  {
    role: "requestor",
    states: [1],
    events: ["transport-indication"],
    because: "it is the acceptor's",
  },
  {
    role: "acceptor",
    states: [3],
    events: PDUS_AND_CLOSE,
    because: "the answer to a request follows without reading: what comes is met in Sta6 or Sta13",
  },
  {
    role: "requestor",
    states: [4],
    events: ["abort-primitive", "transport-closed"],
    because: "the connection is there before the association is begun",
  },
  {
    role: "requestor",
    states: [5],
    events: ["abort-primitive"],
    because: "the caller has no association yet; it closes the connection",
  },
  {
    role: "requestor",
    states: [9],
    events: [...PDUS_AND_CLOSE, "abort-primitive"],
    because: "the response goes out in the same step: nothing is read in between",
  },
  {
    role: "acceptor",
    states: [12],
    events: [...PDUS_AND_CLOSE, "abort-primitive"],
    because: "the response goes out in the same step: nothing is read in between",
  },
];

/** Cells that are gone through on the way to a state or in the check of another cell. */
const ON_THE_WAY: readonly (readonly [Role, number, Event, string])[] = [
  ["acceptor", 1, "transport-indication", "AE-5: every acceptor above"],
  ["requestor", 1, "associate-request-primitive", "AE-1: every requestor above"],
  ["requestor", 4, "transport-confirmed", "AE-2: every requestor above"],
  ["requestor", 9, "release-response-primitive", "AR-9: an A-RELEASE-RQ in Sta7"],
  ["acceptor", 12, "release-response-primitive", "AR-4: an A-RELEASE-RP in Sta10"],
];

const driven = new Set<string>();

function cell(role: Role, state: number, event: Event): string {
  return `${role}, Sta${state}, ${event}`;
}

for (const role of ["acceptor", "requestor"] as const) {
  for (const [state, how, drive] of WAYS[role]) {
    for (const deed of DEEDS) {
      if (state === 3) continue;
      const action = printedAction(deed.event, state);
      assert.ok(action !== undefined, `Table 9-10 has ${deed.event} in Sta${state}`);
      driven.add(cell(role, state, deed.event));
      Deno.test(`${role}, Sta${state}${how}: ${deed.name} is ${action}`, () =>
        drive((situation) => follow(action, deed, role, situation), {}));
    }
    for (const [event, perform] of PRIMITIVES) {
      const action = printedAction(event, state);
      if (action === undefined || (state === 5 && event === "abort-primitive")) continue;
      driven.add(cell(role, state, event));
      Deno.test(`${role}, Sta${state}: ${event} is ${action}`, () => drive(perform, {}));
    }
    if (printedAction("artim-expired", state) === undefined) continue;
    driven.add(cell(role, state, "artim-expired"));
    Deno.test(`${role}, Sta${state}${how}: ARTIM runs out, the connection is closed in silence`, () =>
      drive(async ({ peer, meet }) => {
        await meet().catch(endsAs("timeout"));
        await closedInSilence(peer);
      }, { associationMs: 80 }));
  }
}

Deno.test("the cells driven, those on the way to them and those out of reach are all of Table 9-10, each once", () => {
  const wanted: string[] = [];
  for (const role of ["acceptor", "requestor"] as const) {
    for (const [row, event] of ORDER.entries()) {
      for (let state = 1; state <= 13; state++) {
        if (CELLS[row]![state - 1] !== ".") wanted.push(cell(role, state, event));
      }
    }
  }
  const unreachable = UNREACHABLE.flatMap(({ role, states, events = ORDER }) =>
    states.flatMap((state) =>
      events.filter((event) => printedAction(event, state) !== undefined).map((event) =>
        cell(role, state, event)
      )
    )
  );
  const onTheWay = ON_THE_WAY.map(([role, state, event]) => cell(role, state, event));
  assert.deepEqual([...driven, ...onTheWay, ...unreachable].sort(), wanted.sort());
  assert.deepEqual(
    { driven: driven.size, onTheWay: onTheWay.length, unreachable: unreachable.length },
    { driven: 130, onTheWay: 5, unreachable: 111 },
  );
});
