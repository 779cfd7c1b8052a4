/*
 * Connection failures in plain words: what was tried, what came back, what to look at.
 *
 * Pure; for people at a prompt. The log has the same facts in fewer words.
 */

import { escapeText } from "../log.ts";
import { AssociationError } from "../ul/association_error.ts";
import type { Peer } from "../ul/connect.ts";
import { TransportError } from "../ul/transport.ts";

/** A node to talk to. */
export interface Node extends Peer {
  readonly aeTitle: string;
  readonly callingAeTitle: string;
  /** Whom it is told we are; nobody where absent. */
  readonly userIdentity?: { readonly username: string; readonly passcode: string | null } | null;
}

/** What failed and what to do about it. */
interface Explanation {
  readonly problem: string;
  readonly advice: string;
}

/** Explains why a node could not be connected to, or would not associate. */
export function explain(error: unknown, node: Node): Explanation {
  if (error instanceof TransportError) return explainTransport(error, node);
  if (error instanceof AssociationError) return explainAssociation(error, node);
  return {
    problem: escapeText(error instanceof Error ? error.message : String(error)),
    advice: "This is not expected: please report it with the log.",
  };
}

function explainTransport(error: TransportError, { host, port }: Node): Explanation {
  switch (error.kind) {
    case "refused":
      return {
        problem: `${host} refused the connection to port ${port}: nothing listens there.`,
        advice: "Is the PACS running, and is this its DICOM port?",
      };
    case "timeout":
      return {
        problem: `No answer from ${host}, port ${port}.`,
        advice:
          "Is the host name or address right, is the machine on, does a firewall between drop the connection?",
      };
    case "security":
      return {
        problem: `${escapeText(error.message, 600)}.`,
        advice:
          "Compare ca, certificate, key and server_name in the destination's tls with what its administrator gave you.",
      };
    case "name-not-found":
      return {
        problem: `The host name ${host} is not known.`,
        advice: "Is it spelt right? Try the IP address.",
      };
    default:
      return {
        problem: `${escapeText(error.message)}.`,
        advice: "Is the network up, and is the address right?",
      };
  }
}

function explainAssociation(error: AssociationError, node: Node): Explanation {
  const { aeTitle, callingAeTitle, host, port } = node;
  if (error.reject !== undefined) {
    const { result, source, reason } = error.reject;
    if (source === 1 && reason === 7) {
      return {
        problem: `The node does not answer to the AE title ${aeTitle}.`,
        advice: "Upper and lower case count. Compare ae_title with the AE title set on the PACS.",
      };
    }
    if (source === 1 && reason === 3) {
      return {
        problem: `${aeTitle} does not know our AE title ${callingAeTitle}.`,
        advice:
          `Enter ${callingAeTitle} with this machine's address on the PACS, or set calling_ae_title to one it knows.`,
      };
    }
    if (source === 3 || result === 2) {
      return {
        problem: `${aeTitle} is busy: it takes no further association now.`,
        advice:
          "Try again later. Where it stays so, lower `associations` or raise the limit on the PACS.",
      };
    }
    return {
      problem:
        `${aeTitle} rejected the association (result ${result}, source ${source}, reason ${reason}).`,
      advice: "The log of the PACS says why.",
    };
  }
  switch (error.kind) {
    case "timeout":
      return {
        problem:
          `${host}, port ${port}, took the connection but did not answer the association request.`,
        advice:
          "Is this a DICOM port, and not one for the web? Where it is one for TLS, set tls of the destination.",
      };
    case "aborted":
      return {
        problem: `${aeTitle} aborted the association.`,
        advice:
          "Some systems do so instead of rejecting: check both AE titles and this machine's address on the PACS.",
      };
    case "protocol":
      return {
        problem: `What answers on port ${port} does not speak DICOM: ${escapeText(error.message)}.`,
        advice: "Is this the DICOM port?",
      };
    default:
      return {
        problem: `${host} closed the connection without an answer.`,
        advice:
          "Some systems do so instead of rejecting: check both AE titles, and whether the port is one for TLS (tls of the destination).",
      };
  }
}
