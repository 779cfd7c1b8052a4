/*
 * Why a node gave no association, in words with what to change: one table of decisions.
 *
 * Pure. Reasons are those of PS3.8 Table 9-21; a node that closes instead of giving one is told from one that speaks another
 * language by what came back first (`greeting.ts`).
 */

import type { Node } from "../dimse/explain.ts";
import { escapeText } from "../log.ts";
import { AssociationError } from "../ul/association_error.ts";
import { type Finding, problem, Rank, warning } from "./finding.ts";
import { judgeGreeting, recognise } from "./greeting.ts";

/** What is known of a request that failed. */
export interface FailedRequest {
  readonly error: AssociationError;
  readonly node: Node;
  /** This machine's address as the node sees it, but for what translates addresses on the way. */
  readonly ourAddress: string;
  /** The first bytes that came back; empty where none did. */
  readonly first: Uint8Array;
  /** The first bytes that came back to an offer of TLS; undefined where none was made. */
  readonly afterTls: Uint8Array | undefined;
}

/** What a failed association request means. */
export function judgeFailedRequest(failed: FailedRequest): Finding {
  const { error, node, first, afterTls } = failed;
  if (error.reject !== undefined) return judgeReject(failed);
  const spoken = judgeGreeting(recognise(first), node.port, first) ??
    (afterTls === undefined ? undefined : judgeGreeting(recognise(afterTls), node.port, afterTls));
  if (spoken !== undefined) {
    return problem("association", spoken.text, { text: spoken.change, rank: Rank.Associating });
  }
  return judgeSilence(failed);
}

function judgeReject({ error, node, ourAddress }: FailedRequest): Finding {
  const { result, source, reason } = error.reject!;
  const { aeTitle, callingAeTitle, host, port } = node;
  const change = (text: string) => ({ text, rank: Rank.Associating });
  switch (`${source}.${reason}`) {
    case "1.3":
      return problem(
        "association",
        `${aeTitle} does not know us as ${callingAeTitle} (calling AE title not recognised)`,
        change(
          `Ask the administrator of ${aeTitle} to enter the AE title ${callingAeTitle} with the address ${ourAddress}, or set calling_ae_title to one that is entered there.`,
        ),
      );
    case "1.7":
      return problem(
        "association",
        `${host} port ${port} does not answer to the AE title ${aeTitle} (called AE title not recognised)`,
        change(
          `Ask the administrator of the PACS for its AE title, and set ae_title (pacs_ae_title) to it in our configuration: upper and lower case count.`,
        ),
      );
    case "1.2":
      return problem(
        "association",
        `${aeTitle} does not know the DICOM application context, which every node knows`,
        change(`Look in the log of ${aeTitle}: it is broken, or no DICOM node.`),
      );
    case "2.2":
      return problem(
        "association",
        `${aeTitle} does not support version 1 of the protocol, which is the only one`,
        change(`Look in the log of ${aeTitle}: it is broken, or no DICOM node.`),
      );
    case "3.1":
    case "3.2":
      return warning(
        "association",
        `${aeTitle} takes no further association now (${
          reason === 1 ? "temporary congestion" : "local limit exceeded"
        })`,
        change(
          `Raise the number of associations ${aeTitle} takes from one node, or lower \`associations\` of this destination; then say doctor again.`,
        ),
      );
    default: {
      const which = `result ${result}, source ${source}, reason ${reason}`;
      const text = `${aeTitle} rejected the association and gave no reason (${which})`;
      // How a wrong user identity is rejected (PS3.7 §D.3.3.7).
      const user = source === 2 && reason === 1
        ? "check user_identity of this destination, where the node asks for one; "
        : "";
      const advice = change(
        `Look in the log of ${aeTitle}; ${user}check there the AE titles ${callingAeTitle} and ${aeTitle}, and the address ${ourAddress}.`,
      );
      return result === 2
        ? warning("association", `${text}; for now only`, advice)
        : problem("association", text, advice);
    }
  }
}

function judgeSilence({ error, node, ourAddress }: FailedRequest): Finding {
  const { aeTitle, callingAeTitle, host, port } = node;
  const entered =
    `Check on the PACS the AE titles ${callingAeTitle} (ours) and ${aeTitle} and our address ${ourAddress}: some systems close or abort instead of rejecting.`;
  const change = (text: string) => ({ text, rank: Rank.Associating });
  switch (error.kind) {
    case "timeout":
      return problem(
        "association",
        `${host} port ${port} takes the connection and does not answer the association request`,
        change(
          `Restart the DICOM service of ${aeTitle}, or correct its port (${port}): something holds that port and says nothing.`,
        ),
      );
    case "aborted":
      return problem("association", `${aeTitle} aborted instead of answering`, change(entered));
    case "protocol":
      return problem(
        "association",
        `what came back breaks the protocol: ${escapeText(error.message)}`,
        change(`Correct the port (${port}): is it ${aeTitle}'s DICOM port?`),
      );
    default:
      return problem(
        "association",
        `${host} port ${port} closed the connection without an answer`,
        change(entered),
      );
  }
}
