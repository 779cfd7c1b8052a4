/*
 * Who may associate: every refusal with its numbers (PS3.8 Table 9-21) and the words for the log.
 */

import assert from "node:assert/strict";
import { type Config, parseConfig } from "../../src/config/load.ts";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import { hostFilter, type Load, refuse } from "../../src/receiver/admission.ts";
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
}

function decide({ request, config, load, hosts = [] }: Case) {
  return refuse(
    { ...REQUEST, ...request },
    "10.1.2.3",
    { ...IDLE, ...load },
    { ...BASE, ...config },
    hostFilter(hosts),
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

Deno.test("hosts are matched as addresses and ranges of both families, an IPv4 address also inside IPv6", () => {
  const open = hostFilter([]);
  for (const host of ["10.0.0.1", "::1", "anything"]) assert.equal(open(host), true);
  const some = hostFilter(["10.0.0.1", "192.168.0.0/24", "fd00::/8", "::1", "0.0.0.0/32"]);
  for (
    const host of [
      "10.0.0.1",
      "::ffff:10.0.0.1",
      "::FFFF:192.168.0.7",
      "192.168.0.0",
      "192.168.0.255",
      "fd12::1",
      "::1",
    ]
  ) assert.equal(some(host), true, host);
  for (
    const host of ["10.0.0.2", "192.168.1.0", "::2", "fe80::1", "", "localhost", "10.0.0.1.evil"]
  ) {
    assert.equal(some(host), false, host);
  }
});
