/*
 * Who may associate: every refusal with its numbers (PS3.8 Table 9-21) and the words for the log.
 */

import assert from "node:assert/strict";
import { type Config, configFrom, parseConfig } from "../../src/config/load.ts";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import { addressFilter } from "../../src/access/address.ts";
import { type Load, refuse } from "../../src/receiver/admission.ts";
import { SenderList } from "../../src/receiver/senders.ts";
import { type AssociateRequest, PduType } from "../../src/ul/pdu.ts";
import { userInformation } from "../helpers/pdus.ts";

const REQUEST: AssociateRequest = {
  type: PduType.AssociateRequest,
  protocolVersion: 1,
  calledAeTitle: "FORWARDER",
  callingAeTitle: "MODALITY",
  applicationContext: APPLICATION_CONTEXT,
  contexts: [],
  userInformation: userInformation(16384),
};

const BASE: Config = {
  ...parseConfig(JSON.stringify({ pacs_host: "10.0.0.1", pacs_port: 104 }), "/tmp/config.json"),
  localAeTitle: "FORWARDER",
  requireCalledAeTitle: true,
  allowedCallingAeTitles: [],
  maxAssociations: 3,
  maxAssociationsPerHost: 2,
};

const IDLE: Load = { associations: 0, fromSameHost: 0, spoolRefuses: undefined };

interface Case {
  readonly request?: Partial<AssociateRequest>;
  readonly config?: Partial<Config>;
  readonly load?: Partial<Load>;
  readonly hosts?: readonly string[];
  /** As a configuration has them. */
  readonly senders?: readonly Record<string, unknown>[];
}

function decide({ request, config, load, hosts = [], senders = [] }: Case) {
  const asked = { ...REQUEST, ...request };
  const listed = configFrom({
    pacs_host: "h",
    require_called_ae_title: false,
    senders,
    user_identity: { users: [{ name: "ct1" }] },
  }, "/tmp");
  return refuse(
    asked,
    "10.1.2.3",
    { ...IDLE, ...load },
    { ...BASE, ...config },
    addressFilter(hosts),
    new SenderList(listed.senders).judge(asked.callingAeTitle, asked.calledAeTitle, "10.1.2.3"),
  );
}

const ADMITTED: readonly [string, Case][] = [
  ["who calls us by our name", {}],
  ["a later protocol version that includes version 1", { request: { protocolVersion: 3 } }],
  [
    "any name, where none is required",
    { request: { calledAeTitle: "ANY" }, config: { requireCalledAeTitle: false } },
  ],
  ["a caller on the list", { config: { allowedCallingAeTitles: ["CT1", "MODALITY"] } }],
  ["a host in the range", { hosts: ["10.1.0.0/16"] }],
  [
    "a sender from an address of its own",
    { senders: [{ ae_title: "CT1" }, { ae_title: "MODALITY", addresses: ["10.1.2.3"] }] },
  ],
  ["a sender from its network", {
    senders: [{ ae_title: " MODALITY ", addresses: ["10.9.0.0/16", "10.1.2.0/24"] }],
  }],
  ["a sender that may come from anywhere", { senders: [{ ae_title: "MODALITY" }] }],
  ["a sender by the second of its entries", {
    senders: [
      { ae_title: "MODALITY", addresses: ["10.1.2.4"] },
      { ae_title: "MODALITY", addresses: ["10.1.2.3"], called_ae_titles: ["FORWARDER"] },
    ],
  }],
  ["a stranger in the last place that is not kept", {
    load: { associations: 1, kept: 1 },
  }],
  ["the last association there is room for", { load: { associations: 2, fromSameHost: 1 } }],
];

for (const [name, given] of ADMITTED) {
  Deno.test(`admitted: ${name}`, () => assert.equal(decide(given), undefined));
}

/** result, source, reason of PS3.8 Table 9-21, and what the log has to name. */
const REFUSED: readonly [string, Case, [number, number, number], RegExp][] = [
  [
    "a protocol without version 1",
    { request: { protocolVersion: 2 } },
    [1, 2, 2],
    /version 2 is not supported/,
  ],
  [
    "another application context",
    { request: { applicationContext: "1.2.3" } },
    [1, 1, 2],
    /application context 1\.2\.3/,
  ],
  ["no application context", { request: { applicationContext: "" } }, [1, 1, 2], /context/],
  ["a host not on the list", { hosts: ["10.2.0.0/16"] }, [1, 1, 3], /10\.1\.2\.3.*allowed_hosts/],
  [
    "another called AE title",
    { request: { calledAeTitle: "forwarder" } },
    [1, 1, 7],
    /called forwarder, this is FORWARDER.*local_ae_title.*require_called_ae_title/,
  ],
  [
    "a caller not on the list",
    { config: { allowedCallingAeTitles: ["CT1", "modality"] } },
    [1, 1, 3],
    /MODALITY is not in allowed_calling_ae_titles/,
  ],
  [
    "one association more than there is room for",
    { load: { associations: 3 } },
    [2, 3, 2],
    /3 associations are open, max_associations is 3/,
  ],
  [
    "one association more than a host may have",
    { load: { associations: 2, fromSameHost: 2 } },
    [2, 3, 2],
    /2 associations from 10\.1\.2\.3 are open, max_associations_per_host is 2/,
  ],
  [
    "a title that is not among the senders",
    { senders: [{ ae_title: "CT1", addresses: ["10.1.2.3"] }] },
    [1, 1, 3],
    /MODALITY is not in senders/,
  ],
  [
    "a sender from another's address",
    { senders: [{ ae_title: "MODALITY", addresses: ["10.1.2.4"] }, { ae_title: "CT1" }] },
    [1, 1, 3],
    /MODALITY may not send from 10\.1\.2\.3/,
  ],
  [
    "a sender that calls a title it may not",
    { senders: [{ ae_title: "MODALITY", called_ae_titles: ["OTHER"] }] },
    [1, 1, 7],
    /called FORWARDER, which MODALITY may not/,
  ],
  [
    "a sender whose address allowed_hosts does not have",
    { senders: [{ ae_title: "MODALITY", addresses: ["10.1.2.3"] }], hosts: ["10.2.0.0/16"] },
    [1, 1, 3],
    /10\.1\.2\.3 is not in allowed_hosts/,
  ],
  [
    "a sender that allowed_calling_ae_titles does not have",
    {
      senders: [{ ae_title: "MODALITY" }],
      config: { allowedCallingAeTitles: ["CT1"] },
    },
    [1, 1, 3],
    /not in allowed_calling_ae_titles/,
  ],
  [
    "a stranger in a place that is kept for those known",
    { load: { associations: 2, kept: 1 } },
    [2, 3, 2],
    /2 associations are open, and 1 of max_associations \(3\) are kept/,
  ],
  ["anyone while the spool is full", { load: { spoolRefuses: "full" } }, [2, 3, 2], /^full$/],
  [
    "a stranger even while the spool is full, for good",
    { request: { calledAeTitle: "X" }, load: { spoolRefuses: "full", associations: 9 } },
    [1, 1, 7],
    /called X/,
  ],
];

for (const [name, given, numbers, why] of REFUSED) {
  Deno.test(`refused: ${name}`, () => {
    const refusal = decide(given);
    assert.ok(refusal !== undefined);
    assert.deepEqual([refusal.result, refusal.source, refusal.reason], numbers);
    assert.match(refusal.why, why);
  });
}
