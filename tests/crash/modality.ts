/*
 * A modality that goes on sending until the forwarder is gone, and enters into the books what was answered.
 */

import { AssociationError } from "../../src/ul/association_error.ts";
import { TransportError } from "../../src/ul/transport.ts";
import { Sender } from "../helpers/sender.ts";
import { pass } from "../helpers/until.ts";
import type { Mint } from "./mint.ts";
import type { Oracle } from "./oracle.ts";

/** Once the burst is over, one instance in so many ms. */
const TRICKLE_MS = 40;
/** Instances that may wait for a destination before modalities pause. */
const MOST_BACKLOG = 150;

/**
 * Sends over one association: a burst, and then now and then.
 *
 * @param over true once the forwarder has been killed: only then may the association end
 */
export async function sendUntilCut(
  port: number,
  mint: Mint,
  oracle: Oracle,
  burst: number,
  over: () => boolean,
): Promise<void> {
  try {
    const sender = await Sender.open(port);
    for (let sent = 0; !over(); sent++) {
      if (sent > burst || oracle.backlog() > MOST_BACKLOG) await pass(TRICKLE_MS);
      const instance = mint.next();
      oracle.begin(instance);
      const status = await sender.send(instance);
      if (status !== 0) {
        oracle.violations.push(`${instance.sopInstanceUid} was answered ${status.toString(16)}`);
      } else oracle.acknowledge(instance.sopInstanceUid);
    }
    sender.association.abort("the modality is switched off").catch(() => {});
  } catch (error) {
    if (!(error instanceof AssociationError || error instanceof TransportError)) throw error;
    if (!over()) throw new Error("the forwarder ended an association by itself", { cause: error });
  }
}
