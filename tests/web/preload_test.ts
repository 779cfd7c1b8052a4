/*
 * The page names its modules before it needs them: each that it does not name costs a round trip more.
 */

import assert from "node:assert/strict";

const ASSETS = new URL("../../src/web/assets/", import.meta.url);

Deno.test("every module of the pages is named in the page's head", () => {
  const page = Deno.readTextFileSync(new URL("index.html", ASSETS));
  const named = Array.from(page.matchAll(/"\/assets\/(\w+\.js)"/g), (match) => match[1]!);
  const files = [...Deno.readDirSync(ASSETS)].map(({ name }) => name);
  assert.deepEqual(named.toSorted(), files.filter((name) => name.endsWith(".js")).toSorted());
});
