/*
 * A changed JSON text holds the new content, and what was not changed is there byte for byte.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { findJsonFault } from "../../src/config/json_fault.ts";
import { editJson } from "../../src/setup/json_edit.ts";

Deno.test("an unchanged content gives back the text, however it was written", () => {
  const text = '{ "a" : 1.50,\r\n\t"b":[ ], "c":{"d" :"\\u0041\\\\"} \r\n}\r\n\r\n';
  assert.equal(editJson(text, JSON.parse(text)), text);
});

Deno.test("one value changes and nothing around it", () => {
  const text = '{\n    "port"  :  104 ,\n    "list": [ 1,2,\n      3 ],\n\n    "last": "x"\n}';
  assert.equal(
    editJson(text, { ...JSON.parse(text), port: 11112 }),
    text.replace("104", "11112"),
  );
});

Deno.test("new members come last, in the indentation and line ends of the file", () => {
  assert.equal(
    editJson('{\r\n\t"a": 1\r\n}\r\n', { a: 1, b: { c: [2] } }),
    '{\r\n\t"a": 1,\r\n\t"b": {\r\n\t\t"c": [\r\n\t\t\t2\r\n\t\t]\r\n\t}\r\n}\r\n',
  );
  assert.equal(editJson('{"a":1}', { a: 1, b: 2 }), '{"a":1, "b": 2}');
  assert.equal(editJson("{}\n", { a: 1 }), '{\n  "a": 1\n}\n');
});

Deno.test("a member goes with its comma, first, middle and last", () => {
  const text = '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n';
  assert.equal(editJson(text, { b: 2, c: 3 }), '{\n  "b": 2,\n  "c": 3\n}\n');
  assert.equal(editJson(text, { a: 1, c: 3 }), '{\n  "a": 1,\n  "c": 3\n}\n');
  assert.equal(editJson(text, { a: 1, b: 2 }), '{\n  "a": 1,\n  "b": 2\n}\n');
  assert.equal(editJson(text, {}), "{}\n");
});

Deno.test("an item that goes from a list leaves the others as they were written", () => {
  const text =
    '{ "list": [\n  {"name":"one",  "port":1.0},\n  {"name":"two"},\n  {"name" : "three"}\n] }';
  const list = [{ name: "one", port: 1 }, { name: "three" }];
  assert.equal(
    editJson(text, { list }),
    '{ "list": [\n  {"name":"one",  "port":1.0},\n  {"name" : "three"}\n] }',
  );
});

/** White space, as much as a person puts between things. */
const gap = fc.constantFrom("", " ", "\n", "\r\n\t", "\n  \n    ");

/** A JSON text of odd spacing for a value. */
function written(value: unknown, gaps: () => string): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => gaps() + written(item, gaps) + gaps()).join(",")}${gaps()}]`;
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([key, item]) =>
      `${gaps()}${JSON.stringify(key)}${gaps()}:${gaps()}${written(item, gaps)}${gaps()}`
    );
    return `{${members.join(",")}${gaps()}}`;
  }
  return JSON.stringify(value);
}

Deno.test("whatever the text and whatever the new content, the text then holds it", () => {
  const content = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 5,
  });
  fc.assert(
    fc.property(
      content,
      content,
      fc.subarray(["keep", "drop", "alter"]),
      fc.array(gap, { minLength: 1 }),
      (before, other, what, gaps) => {
        let at = 0;
        const text = written(before, () => gaps[at++ % gaps.length]!);
        const wanted = Object.fromEntries([
          ...Object.entries(before).filter((_, index) => index % 2 === 0 || !what.includes("drop")),
          ...(what.includes("alter") ? Object.entries(other) : []),
        ]);
        const edited = editJson(text, wanted);
        assert.equal(findJsonFault(edited), null);
        assert.deepEqual(JSON.parse(edited), JSON.parse(JSON.stringify(wanted)));
      },
    ),
    { numRuns: 500 },
  );
});
