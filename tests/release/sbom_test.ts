/*
 * The bill of materials: complete, with checksums, and telling what ships from what builds.
 */

import assert from "node:assert/strict";
import { billOfMaterials, readLock, readSurroundings } from "../../.ci/release/sbom.ts";
import manifest from "../../deno.json" with { type: "json" };

const SERIAL = "3e671687-395b-41f5-a30f-a58921a69b79";
const MADE = new Date("2027-01-31T12:00:00Z");

Deno.test("every package of the lock file is listed once, with its SHA-512 and what it depends on", async () => {
  const lock = await readLock();
  const bill = billOfMaterials(lock, await readSurroundings(MADE, SERIAL));
  const packages = bill.components.filter(({ type }) => type === "library");
  assert.equal(packages.length, Object.keys(lock.npm).length);
  for (const { name, hashes, purl } of packages) {
    assert.match(hashes?.[0]?.content ?? "", /^[0-9a-f]{128}$/, name);
    assert.match(purl ?? "", /^pkg:npm\/(%40[^/@]+\/)?[^/@]+@\d/, name);
  }
  const references = new Set(bill.components.map((one) => one["bom-ref"]));
  assert.equal(references.size, bill.components.length, "no reference twice");
  references.add(bill.metadata.component["bom-ref"]);
  assert.deepEqual(new Set(bill.dependencies.map(({ ref }) => ref)), references);
  for (
    const { ref, dependsOn = [] } of bill.dependencies as { ref: string; dependsOn?: string[] }[]
  ) {
    for (const one of dependsOn) assert.ok(references.has(one), `${ref} depends on ${one}`);
  }
});

Deno.test("it says what ships, what only the installer brings and what only builds", async () => {
  const bill = billOfMaterials(await readLock(), await readSurroundings(MADE, SERIAL));
  const scopes = new Map(bill.components.map(({ name, scope }) => [name, scope]));
  for (const name of ["deno", "zod", "dcmjs-codecs", "pako"]) {
    assert.equal(scopes.get(name), "required", name);
  }
  assert.equal(scopes.get("nssm"), "optional");
  for (const name of ["fast-check", "innosetup"]) assert.equal(scopes.get(name), "excluded", name);
  const zod = bill.components.find(({ name }) => name === "zod");
  assert.deepEqual(zod?.licenses, [{ license: { id: "MIT" } }]);
  assert.equal(bill.metadata.component.version, manifest.version);
  assert.equal(bill.serialNumber, `urn:uuid:${SERIAL}`);
  assert.equal(bill.metadata.timestamp, "2027-01-31T12:00:00.000Z");
});

const AROUND = {
  version: "1.0.0",
  denoVersion: "2.0.0",
  imported: ["@a/b@1.0.0"],
  licences: new Map([["@a/b@1.0.0", "(MIT OR GPL-2.0)"], ["c@1.0.0", "See LICENSE"]]),
  nssmHash: "00",
  serial: SERIAL,
  made: MADE,
};

Deno.test("scopes, versions with peers and odd licences are written as the format wants them", () => {
  const bill = billOfMaterials({
    npm: {
      "@a/b@1.0.0": { integrity: "sha512-AAAA", dependencies: ["c"] },
      "c@1.0.0_d@2.0.0": { integrity: "sha512-AAAA" },
      "e@1.0.0": { integrity: "sha512-AAAA" },
    },
  }, AROUND);
  const [scoped, peered, other] = bill.components.slice(2);
  assert.equal(scoped?.purl, "pkg:npm/%40a/b@1.0.0");
  assert.deepEqual([scoped?.name, scoped?.group], ["b", "@a"]);
  assert.deepEqual(scoped?.licenses, [{ expression: "MIT OR GPL-2.0" }]);
  assert.equal(peered?.purl, "pkg:npm/c@1.0.0");
  assert.deepEqual(peered?.licenses, [{ license: { name: "See LICENSE" } }]);
  assert.deepEqual([peered?.scope, other?.scope], ["required", "excluded"]);
});

Deno.test("a package without a SHA-512 checksum fails the bill", () => {
  assert.throws(
    () => billOfMaterials({ npm: { "@a/b@1.0.0": { integrity: "sha1-AAAA" } } }, AROUND),
    /"sha1-AAAA" for @a\/b@1\.0\.0/,
  );
});
