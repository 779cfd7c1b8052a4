import assert from "node:assert/strict";
import fc from "fast-check";
import { type Metric, Registry } from "prom-client";
import { expose } from "../../src/metrics/exposition.ts";
import type { Family, Sample } from "../../src/metrics/family.ts";

/** What the library that Prometheus' own pages name writes, without its empty lines. */
async function byTheLibrary(families: readonly Family[]): Promise<string[]> {
  const registry = new Registry();
  for (const family of families) {
    const { name, help, type } = family;
    const shown = {
      name,
      help,
      type,
      get: () => Promise.resolve({ name, help, type, values: family.samples() }),
    };
    registry.registerMetric(shown as unknown as Metric);
  }
  return lines(await registry.metrics());
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

const TEXT = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom('a"b', "a\\b", "a\nb", '\\"\n', "", "}{,=", "\u2028", "\ud800"),
);

const SAMPLE: fc.Arbitrary<Sample> = fc.record({
  labels: fc.dictionary(fc.constantFrom("destination", "le", "calling_ae_title"), TEXT),
  value: fc.oneof(
    fc.double({ noNaN: true }),
    fc.nat(),
    fc.constantFrom(Infinity, -Infinity, 0, -0, 1e21, 5e-324),
  ),
});

Deno.test("metrics are written as prom-client writes them, whatever is in a label", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(SAMPLE, { maxLength: 5 }), TEXT, async (samples, help) => {
      const family: Family = { name: "a_total", help, type: "counter", samples: () => samples };
      assert.deepEqual(lines(expose([family])), await byTheLibrary([family]));
    }),
    { numRuns: 500 },
  );
});

Deno.test("what is no number is written as the format has it", () => {
  const family: Family = {
    name: "a",
    help: "",
    type: "gauge",
    // The library writes "Nan", which only lenient readers take.
    samples: () => [{ labels: {}, value: NaN }],
  };
  assert.equal(lines(expose([family])).at(-1), "a NaN");
});
