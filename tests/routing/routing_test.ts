import assert from "node:assert/strict";
import type { RouteConfig } from "../../src/config/load.ts";
import { route, type RoutingFacts } from "../../src/routing/routing.ts";

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
