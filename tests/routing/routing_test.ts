import assert from "node:assert/strict";
import fc from "fast-check";
import type { RouteConfig } from "../../src/config/load.ts";
import { explainRoute, route, type RoutingFacts } from "../../src/routing/routing.ts";

const ALL = ["pacs", "mammo", "archive"];
const CT = "1.2.840.10008.5.1.4.1.1.2";
const FACTS: RoutingFacts = {
  callingAeTitle: "CT1",
  calledAeTitle: "FORWARDER",
  sopClassUid: CT,
  modality: "CT",
};

function to(destinations: string[], conditions: Partial<RouteConfig> = {}): RouteConfig {
  return {
    callingAeTitles: null,
    calledAeTitles: null,
    modalities: null,
    sopClasses: null,
    ...conditions,
    destinations,
  };
}

Deno.test("without routes everything goes everywhere", () => {
  assert.deepEqual(route(FACTS, [], ALL), ALL);
});

Deno.test("where there are routes and none matches, nothing goes anywhere", () => {
  assert.deepEqual(route(FACTS, [to(["mammo"], { modalities: ["MG"] })], ALL), []);
});

Deno.test("the first route that matches decides alone", () => {
  const routes = [
    to(["mammo"], { modalities: ["MG"] }),
    to(["archive"], { modalities: ["CT", "MR"] }),
    to(["pacs"]),
  ];
  assert.deepEqual(route(FACTS, routes, ALL), ["archive"]);
  assert.deepEqual(route({ ...FACTS, modality: "US" }, routes, ALL), ["pacs"]);
});

Deno.test("a route without conditions matches everything, in the order of its destinations", () => {
  assert.deepEqual(route(FACTS, [to(["archive", "pacs"])], ALL), ["archive", "pacs"]);
});

Deno.test("each condition that is given must match", () => {
  const every = {
    callingAeTitles: ["CT1"],
    calledAeTitles: ["FORWARDER"],
    modalities: ["CT"],
    sopClasses: [CT],
  };
  assert.deepEqual(route(FACTS, [to(["pacs"], every)], ALL), ["pacs"]);
  const others: Partial<RoutingFacts>[] = [
    { callingAeTitle: "CT2" },
    { calledAeTitle: "OTHER" },
    { modality: "MR" },
    { modality: null },
    { sopClassUid: "1.2.840.10008.5.1.4.1.1.4" },
  ];
  for (const other of others) {
    const facts = { ...FACTS, ...other };
    assert.deepEqual(route(facts, [to(["pacs"], every)], ALL), [], JSON.stringify(other));
  }
});

Deno.test("titles are compared exactly but for the spaces around them", () => {
  const routes = [to(["pacs"], { callingAeTitles: ["CT1"], modalities: ["CT"] })];
  assert.deepEqual(route({ ...FACTS, callingAeTitle: " CT1    ", modality: "CT " }, routes, ALL), [
    "pacs",
  ]);
  for (const callingAeTitle of ["ct1", "CT10", "CT 1", ""]) {
    assert.deepEqual(route({ ...FACTS, callingAeTitle }, routes, ALL), [], callingAeTitle);
  }
});

Deno.test("an instance without modality goes past a route that asks for one", () => {
  const routes = [to(["mammo"], { modalities: ["MG"] }), to(["pacs"])];
  assert.deepEqual(route({ ...FACTS, modality: null }, routes, ALL), ["pacs"]);
});

Deno.test("an explanation decides as the routing does, and names the conditions that fail", () => {
  const title = fc.constantFrom("CT1", " CT1 ", "MR2", "FORWARDER", "");
  const modality = fc.constantFrom("CT", "MR ", "MG", null);
  const sopClass = fc.constantFrom(CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.3");
  const some = <T>(item: fc.Arbitrary<T>) => fc.option(fc.array(item, { minLength: 1 }));
  const routes = fc.array(fc.record({
    callingAeTitles: some(fc.constantFrom("CT1", "MR2")),
    calledAeTitles: some(fc.constantFrom("FORWARDER", "OTHER")),
    modalities: some(fc.constantFrom("CT", "MR", "MG")),
    sopClasses: some(sopClass),
    destinations: fc.subarray(ALL, { minLength: 1 }),
  }));
  const facts = fc.record({
    callingAeTitle: title,
    calledAeTitle: title,
    sopClassUid: sopClass,
    modality,
  });
  const seen = new Set<string>();
  fc.assert(
    fc.property(facts, routes, (facts, routes) => {
      const { destinations, decides, routes: checks } = explainRoute(facts, routes, ALL);
      assert.deepEqual(destinations, route(facts, routes, ALL));
      for (const [n, check] of checks.entries()) {
        const alone = route(facts, [routes[n]!], ALL).length > 0;
        assert.equal(check.matches, alone);
        assert.equal(check.conditions.every(({ met }) => met), alone);
      }
      seen.add(decides === null ? (routes.length === 0 ? "none" : "no match") : "match");
    }),
    { numRuns: 2000 },
  );
  assert.equal(seen.size, 3, [...seen].join());
});

Deno.test("an explanation tells what was wanted and what was there", () => {
  const routes = [to(["mammo"], { modalities: ["MG"], callingAeTitles: ["CT1"] }), to(["pacs"])];
  const { decides, routes: [first, second] } = explainRoute(FACTS, routes, ALL);
  assert.equal(decides, 1);
  assert.deepEqual(first!.conditions, [
    { what: "calling AE title", wanted: ["CT1"], actual: "CT1", met: true },
    { what: "modality", wanted: ["MG"], actual: "CT", met: false },
  ]);
  assert.deepEqual(second, { matches: true, conditions: [] });
});
