/*
 * Routes whose destinations go or change their name.
 */

import assert from "node:assert/strict";
import {
  isForgotten,
  replacedInRoutes,
  routesNaming,
  withoutInRoutes,
} from "../../src/setup/routes.ts";

const SETTINGS = {
  pacs_host: "a",
  routes: [
    { modalities: ["CT", "MR"], calling_ae_titles: ["ROOM1"], destinations: ["one", "two"] },
    { sop_classes: ["1.2.3"], destinations: ["one"] },
    { destinations: ["two"] },
  ],
};

Deno.test("the routes that name a destination are told with what they are for", () => {
  assert.deepEqual(routesNaming(SETTINGS, "one"), [
    { number: 1, what: "from ROOM1, modality CT or MR", only: false },
    { number: 2, what: "SOP class 1.2.3", only: true },
  ]);
  assert.deepEqual(routesNaming(SETTINGS, "three"), []);
  assert.deepEqual(routesNaming({ routes: "wrong" }, "one"), []);
});

Deno.test("a destination taken out of the routes takes the routes with it that name no other", () => {
  assert.deepEqual(withoutInRoutes(SETTINGS, "one").routes, [
    { modalities: ["CT", "MR"], calling_ae_titles: ["ROOM1"], destinations: ["two"] },
    { destinations: ["two"] },
  ]);
  const only = { routes: [{ destinations: ["one"] }] };
  assert.deepEqual(withoutInRoutes(only, "one"), {});
});

Deno.test("a destination that takes another's place is named once", () => {
  assert.deepEqual(replacedInRoutes(SETTINGS, "one", "two").routes, [
    { modalities: ["CT", "MR"], calling_ae_titles: ["ROOM1"], destinations: ["two"] },
    { sop_classes: ["1.2.3"], destinations: ["two"] },
    { destinations: ["two"] },
  ]);
  assert.equal(replacedInRoutes(SETTINGS, "three", "two"), SETTINGS);
});

Deno.test("a destination that no route names is forgotten only where there are routes", () => {
  assert.ok(isForgotten(SETTINGS, "three"));
  assert.ok(!isForgotten(SETTINGS, "one"));
  assert.ok(!isForgotten({}, "three"));
});
