/*
 * Real associations driven into each state of PS3.8 Table 9-10 that a peer or a caller can bring about, in both roles.
 */

import assert from "node:assert/strict";
import { Association } from "../../src/ul/association.ts";
import type { AssociationOptions } from "../../src/ul/association_options.ts";
import { type AssociateRequest, PduType } from "../../src/ul/pdu.ts";
import { acceptAssociation, associateRequest, RELEASE_RP, RELEASE_RQ } from "./pdus.ts";
import type { Peer } from "./peer.ts";
import {
  endsAs,
  established,
  OPTIONS,
  withConnection,
  withReceived,
  withRequesting,
} from "./served.ts";

export type Role = "acceptor" | "requestor";

/** An association in some state, and the other side of it. */
export interface Situation {
  readonly peer: Peer;
  /** Undefined where the caller has none yet. */
  readonly association?: Association;
  /** In Sta3: what is to be answered. */
  readonly request?: AssociateRequest;
  /** What meets the next PDU here: the call that is under way, or the one that is made for it. */
  meet(): Promise<unknown>;
}

/** Drives an association into a state, and hands it over there. */
export type Drive = (
  use: (situation: Situation) => Promise<void>,
  options: Partial<AssociationOptions>,
) => Promise<void>;

/** A promise under way that is looked at later. */
export function underWay<T>(promise: Promise<T>): () => Promise<T> {
  promise.catch(() => {});
  return () => promise;
}

/** Both roles, once the association is established. */
function inSta6(role: Role): Drive {
  return (use, options) => {
    const run = (peer: Peer, association: Association) =>
      use({ peer, association, meet: () => association.next(false) });
    if (role === "acceptor") return established(run, options);
    return withRequesting(async (peer, requested) => {
      await acceptAssociation(peer);
      await run(peer, await requested);
    }, options);
  };
}

/** From Sta6 on. */
function onFrom6(
  role: Role,
  go: (peer: Peer, association: Association) => Promise<() => Promise<unknown>>,
): Drive {
  return (use, options) =>
    inSta6(role)(async ({ peer, association }) => {
      const meet = await go(peer, association!);
      await use({ peer, association: association!, meet });
    }, options);
}

async function toSta7(peer: Peer, association: Association): Promise<() => Promise<unknown>> {
  const meet = underWay(association.release());
  await peer.expectPdu(PduType.ReleaseRequest);
  return meet;
}

async function toSta8(peer: Peer, association: Association): Promise<() => Promise<unknown>> {
  await peer.send(RELEASE_RQ);
  assert.deepEqual(await association.next(false), { type: "release" });
  return () => association.next(false);
}

/** Sta10 for an acceptor; a requestor goes through Sta9 to Sta11. */
async function toCollision(peer: Peer, association: Association): Promise<() => Promise<unknown>> {
  const meet = await toSta7(peer, association);
  await peer.send(RELEASE_RQ);
  return meet;
}

/** Sta13 behind an A-RELEASE-RP. */
async function toSta13(peer: Peer, association: Association): Promise<() => Promise<unknown>> {
  await toSta8(peer, association);
  const meet = underWay(association.respondRelease());
  await peer.expectPdu(PduType.ReleaseResponse);
  return meet;
}

/** Sta13 behind an A-ABORT. */
async function toSta13Aborted(
  peer: Peer,
  association: Association,
): Promise<() => Promise<unknown>> {
  const meeting = association.next(false);
  await peer.send(RELEASE_RP);
  await assert.rejects(meeting, endsAs("protocol"));
  await peer.expectPdu(PduType.Abort);
  return () => association.closed;
}

/** Ways into each state of a role; Sta13 has several. */
export const WAYS: Readonly<Record<Role, readonly (readonly [number, string, Drive])[]>> = {
  acceptor: [
    [2, "", (use, options) =>
      withConnection(async (peer, transport) => {
        const receiving = Association.receive(transport, { ...OPTIONS, ...options });
        await use({ peer, meet: underWay(receiving) });
      })],
    [
      3,
      "",
      (use, options) =>
        withReceived(associateRequest(), async (peer, association, request) => {
          await use({ peer, association, request, meet: () => association.next(false) });
        }, options),
    ],
    [6, "", inSta6("acceptor")],
    [7, "", onFrom6("acceptor", toSta7)],
    [8, "", onFrom6("acceptor", toSta8)],
    [10, "", onFrom6("acceptor", toCollision)],
    [
      13,
      " after a rejection",
      (use, options) =>
        withReceived(associateRequest(), async (peer, association) => {
          const meet = underWay(association.reject(1, 1, 7));
          await peer.expectPdu(PduType.AssociateReject);
          await use({ peer, association, meet });
        }, options),
    ],
    [13, " after a release", onFrom6("acceptor", toSta13)],
    [13, " after our A-ABORT", onFrom6("acceptor", toSta13Aborted)],
  ],
  requestor: [
    [5, "", (use, options) =>
      withRequesting(async (peer, requested) => {
        await peer.expectPdu(PduType.AssociateRequest);
        await use({ peer, meet: underWay(requested) });
      }, options)],
    [6, "", inSta6("requestor")],
    [7, "", onFrom6("requestor", toSta7)],
    [8, "", onFrom6("requestor", toSta8)],
    [
      11,
      "",
      onFrom6("requestor", async (peer, association) => {
        const meet = await toCollision(peer, association);
        await peer.expectPdu(PduType.ReleaseResponse);
        return meet;
      }),
    ],
    [13, " after a release", onFrom6("requestor", toSta13)],
    [13, " after our A-ABORT", onFrom6("requestor", toSta13Aborted)],
  ],
};
