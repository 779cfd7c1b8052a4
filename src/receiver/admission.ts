/*
 * Who may associate: from a request and the state of the house to an answer (PS3.8 §7.1.1.7, Table 9-21).
 *
 * Pure. A refusal carries the numbers for the peer and a sentence for the
 * log that names the values compared and the key of the configuration that decided.
 */

import type { Config } from "../config/load.ts";
import { APPLICATION_CONTEXT } from "../dicom/uid.ts";
import type { AssociateRequest } from "../ul/pdu.ts";
import type { Verdict } from "./senders.ts";

export interface Refusal {
  readonly result: number;
  readonly source: number;
  readonly reason: number;
  readonly why: string;
}

/** Associations under way, the one that asks not counted. */
export interface Load {
  readonly associations: number;
  readonly fromSameHost: number;
  /** Associations that this one may not use, for they are kept for known senders. */
  readonly kept?: number;
  /** Why the spool takes nothing now; undefined where it does. */
  readonly spoolRefuses: string | undefined;
}

const LOCAL_LIMIT = { result: 2, source: 3, reason: 2 } as const;

/**
 * Decides about one association request; undefined where it may proceed. All lists have to agree: allowed_hosts,
 * allowed_calling_ae_titles, senders.
 *
 * @param verdict what `senders` says of it
 */
export function refuse(
  request: AssociateRequest,
  host: string,
  load: Load,
  config: Config,
  hostIsAllowed: (host: string) => boolean,
  verdict: Verdict = { kind: "listed", user: null },
): Refusal | undefined {
  if ((request.protocolVersion & 1) === 0) {
    return {
      result: 1,
      source: 2,
      reason: 2,
      why: `protocol version ${request.protocolVersion} is not supported, version 1 is`,
    };
  }
  if (request.applicationContext !== APPLICATION_CONTEXT) {
    return {
      result: 1,
      source: 1,
      reason: 2,
      why:
        `application context ${request.applicationContext} is not DICOM's ${APPLICATION_CONTEXT}`,
    };
  }
  if (!hostIsAllowed(host)) {
    return { result: 1, source: 1, reason: 3, why: `${host} is not in allowed_hosts` };
  }
  if (config.requireCalledAeTitle && request.calledAeTitle !== config.localAeTitle) {
    return {
      result: 1,
      source: 1,
      reason: 7,
      why:
        `it called ${request.calledAeTitle}, this is ${config.localAeTitle} (local_ae_title, required by require_called_ae_title)`,
    };
  }
  const callers = config.allowedCallingAeTitles;
  if (callers.length > 0 && !callers.includes(request.callingAeTitle)) {
    return {
      result: 1,
      source: 1,
      reason: 3,
      why: `its AE title ${request.callingAeTitle} is not in allowed_calling_ae_titles`,
    };
  }
  const unlisted = notListed(verdict, request, host);
  if (unlisted !== undefined) return unlisted;
  if (load.associations >= config.maxAssociations) {
    return {
      ...LOCAL_LIMIT,
      why:
        `${load.associations} associations are open, max_associations is ${config.maxAssociations}`,
    };
  }
  const { kept = 0 } = load;
  if (load.associations >= config.maxAssociations - kept) {
    return {
      ...LOCAL_LIMIT,
      why:
        `${load.associations} associations are open, and ${kept} of max_associations (${config.maxAssociations}) are kept for known senders`,
    };
  }
  if (load.fromSameHost >= config.maxAssociationsPerHost) {
    return {
      ...LOCAL_LIMIT,
      why:
        `${load.fromSameHost} associations from ${host} are open, max_associations_per_host is ${config.maxAssociationsPerHost}`,
    };
  }
  if (load.spoolRefuses !== undefined) return { ...LOCAL_LIMIT, why: load.spoolRefuses };
  return undefined;
}

function notListed(
  verdict: Verdict,
  { callingAeTitle, calledAeTitle }: AssociateRequest,
  host: string,
): Refusal | undefined {
  const refusal = (reason: number, why: string) => ({ result: 1, source: 1, reason, why });
  switch (verdict.kind) {
    case "listed":
      return undefined;
    case "unknown-title":
      return refusal(3, `its AE title ${callingAeTitle} is not in senders`);
    case "wrong-address":
      return refusal(3, `${callingAeTitle} may not send from ${host} (addresses in senders)`);
    case "wrong-called-title":
      return refusal(
        7,
        `it called ${calledAeTitle}, which ${callingAeTitle} may not (called_ae_titles in senders)`,
      );
  }
}
