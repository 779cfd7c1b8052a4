/*
 * Who may associate: from a request and the state of the house to an answer (PS3.8 §7.1.1.7, Table 9-21).
 *
 * Pure but for the address list, which is compiled once. A refusal carries the numbers for the peer and a sentence for the
 * log that names the values compared and the key of the configuration that decided.
 */

import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { Config } from "../config/load.ts";
import { APPLICATION_CONTEXT } from "../dicom/uid.ts";
import type { AssociateRequest } from "../ul/pdu.ts";

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
  /** Why the spool takes nothing now; undefined where it does. */
  readonly spoolRefuses: string | undefined;
}

const LOCAL_LIMIT = { result: 2, source: 3, reason: 2 } as const;

/** Compiles `allowed_hosts`: true for an address that may connect. An empty list lets everybody in. */
export function hostFilter(allowed: readonly string[]): (host: string) => boolean {
  if (allowed.length === 0) return () => true;
  const list = new BlockList();
  for (const one of allowed) {
    const [address, prefix] = one.split("/");
    const family = isIPv4(address!) ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address!, family);
    else list.addSubnet(address!, Number(prefix), family);
  }
  return (host) => {
    const plain = host.replace(/^::ffff:/i, "");
    if (isIPv4(plain)) return list.check(plain, "ipv4");
    return isIPv6(plain) && list.check(plain, "ipv6");
  };
}

/** Decides about one association request; undefined where it may proceed. */
export function refuse(
  request: AssociateRequest,
  host: string,
  load: Load,
  config: Config,
  hostIsAllowed: (host: string) => boolean,
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
  if (load.associations >= config.maxAssociations) {
    return {
      ...LOCAL_LIMIT,
      why:
        `${load.associations} associations are open, max_associations is ${config.maxAssociations}`,
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
