/* The settings of the audit trail: defaults, ports by protocol, and what does not go together. */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { ConfigError, configFrom } from "../../src/config/load.ts";

function audit(settings: Record<string, unknown>) {
  return configFrom({ pacs_host: "h", audit: settings }, "/srv").audit;
}

Deno.test("left out there is no audit trail; a host alone means TLS at its port, names told, 100 MB kept", () => {
  assert.equal(configFrom({ pacs_host: "h" }, "/srv").audit, null);
  assert.deepEqual(audit({ host: "log" }), {
    host: "log",
    port: 6514,
    protocol: "tls",
    caFile: null,
    certificate: null,
    site: null,
    enterpriseSiteId: null,
    patientData: true,
    keepBytes: 100_000_000,
  });
  assert.equal(audit({ host: "log", protocol: "udp" })?.port, 514);
  assert.equal(audit({ host: "log", protocol: "tcp" })?.port, 601);
  assert.equal(audit({ host: "log", protocol: "tcp", port: 1514 })?.port, 1514);
  const files = { ca_file: "ca.pem", certificate_file: "c.pem", key_file: "k.pem" };
  assert.deepEqual(audit({ host: "log", ...files })?.certificate, {
    certificateFile: resolve("/srv", "c.pem"),
    keyFile: resolve("/srv", "k.pem"),
  });
});

Deno.test("a certificate without its key, certificates without TLS and a server without a host are faults", () => {
  const faults = (settings: Record<string, unknown>) => {
    try {
      audit(settings);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.faults.map(({ path }) => path);
    }
    return [];
  };
  assert.deepEqual(faults({}), ["audit.host"]);
  assert.deepEqual(faults({ host: "h", certificate_file: "c" }), ["audit.key_file"]);
  assert.deepEqual(faults({ host: "h", key_file: "k" }), ["audit.certificate_file"]);
  assert.deepEqual(faults({ host: "h", protocol: "tcp", ca_file: "c" }), ["audit.ca_file"]);
  assert.deepEqual(faults({ host: "h", protocol: "smtp" }), ["audit.protocol"]);
  assert.deepEqual(faults({ host: "h", keeps: 1 }), ["audit.keeps"]);
});
