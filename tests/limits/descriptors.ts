/*
 * More connections than the forwarder may have files open for: it answers those it can, refuses the others in a way that
 * makes them try again, and is as before when they have gone.
 */

import assert from "node:assert/strict";
import { AssociationError } from "../../src/ul/association_error.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { associateRequest } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

export interface DescriptorFigures {
  readonly rounds: number;
  /** Instances answered Success, and refused for want of resources. */
  readonly acknowledged: number;
  readonly refused: number;
  /** Associations rejected for now, and connections that got no answer. */
  readonly rejected: number;
  readonly unanswered: number;
  /** Open files of the forwarder before the first and after the last round. */
  readonly before: number;
  readonly after: number;
}

const AT_ONCE = 15;
/** The spool keeps so many files more open at some times than at others. */
const SPARE_SLOTS = 20;
const REJECTED_FOR_NOW = "2,3,2";

/**
 * Rounds of more senders than there are files for.
 *
 * @throws where an instance answered Success does not arrive, another refusal is given, or files stay open
 */
export async function runShortOfFiles(
  options: {
    readonly openFiles: number;
    readonly rounds: number;
    /** A multiple of 15. */
    readonly senders: number;
  },
): Promise<DescriptorFigures> {
  const { openFiles, rounds } = options;
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port, { timeouts: { idle_release: 0.5 } })],
    max_associations_per_host: 50,
    timeouts: { association_request: 2 },
  }, { openFiles });
  const began = performance.now();
  const before = daemon.openFiles().length;
  const acknowledged = new Set<string>();
  let [refused, rejected, unanswered] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const held = Promise.withResolvers<void>();
    let settled = 0;
    const send = async (n: number) => {
      const sopInstanceUid = `1.2.826.0.1.3680043.10.4.${round}.${n}`;
      try {
        await using sender = await Sender.open(daemon.port, { responseMs: 20_000 });
        const status = await sender.send(instanceOf({ sopInstanceUid }));
        if (status === 0) acknowledged.add(sopInstanceUid);
        else {
          assert.equal(status, 0xa700, `answered 0x${status.toString(16)}`);
          refused++;
        }
        settled++;
        // All that are taken are open at the same time.
        await held.promise;
      } catch (error) {
        if (!(error instanceof AssociationError)) throw error;
        settled++;
        if (error.reject === undefined) unanswered++;
        else {
          const { result, source, reason } = error.reject;
          assert.equal(`${result},${source},${reason}`, REJECTED_FOR_NOW);
          rejected++;
        }
      }
    };
    const senders: Promise<void>[] = [];
    while (senders.length < options.senders) {
      // Requests of one host that all wait at the same time would be taken for a flood.
      for (let n = 0; n < AT_ONCE; n++) senders.push(send(senders.length));
      const all = until(
        () => settled === senders.length,
        60_000,
        () => `outcomes, ${settled} came`,
      );
      await Promise.race([all, Promise.all(senders).then(() => all)]);
    }
    held.resolve();
    await Promise.all(senders);
    await until(
      async () => (await requestOutcome(daemon.port)) === "accepted",
      10_000,
      `associations to be accepted again:\n${daemon.said}`,
    );
  }
  await sink.until(
    () => acknowledged.isSubsetOf(sink.uids()),
    60_000,
    `${acknowledged.size} instances answered Success`,
  );
  await sink.until(({ open }) => open === 0, 30_000, "the association to be released");
  await until(
    () => daemon.openFiles().length <= before + SPARE_SLOTS,
    10_000,
    () => `${before} open files, there are ${daemon.openFiles().length}`,
  );
  const failures = daemon.said.split("Cannot accept a connection").length - 1;
  const minutes = Math.ceil((performance.now() - began) / 60_000);
  assert.ok(failures <= minutes, `${failures} log lines of connections that could not be accepted`);
  return {
    rounds,
    acknowledged: acknowledged.size,
    refused,
    rejected,
    unanswered,
    before,
    after: daemon.openFiles().length,
  };
}

/** What a request for an association is answered. */
export async function requestOutcome(port: number, localAddress?: string): Promise<string> {
  const peer = await Peer.connect(port, localAddress);
  try {
    return await outcomeOn(peer);
  } finally {
    peer.close();
  }
}

/** The same on a connection that stays open. */
export async function outcomeOn(peer: Peer): Promise<string> {
  await peer.send(associateRequest(undefined, 16384, { calledAeTitle: "DICOMFORWARDER" }));
  try {
    const { type, body } = await peer.receivePdu();
    if (type === PduType.AssociateAccept) return "accepted";
    // PS3.8 Table 9-21: a reserved byte, result, source, reason.
    return type === PduType.AssociateReject ? body.slice(1).join(",") : `PDU of type ${type}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
