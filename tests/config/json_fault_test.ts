import assert from "node:assert/strict";
import fc from "fast-check";
import { findJsonFault } from "../../src/config/json_fault.ts";

Deno.test("mistakes people make by hand are found at their place, in words that help", () => {
  const cases: [string, number, number, RegExp][] = [
    ['{"a": 1,}', 1, 9, /no comma behind the last setting/],
    ['{\n"a": [1, 2,\n]}', 3, 1, /no comma behind the last entry/],
    ['{"a": 1\n "b": 2}', 2, 2, /a comma or }/],
    ["{'a': 1}", 1, 2, /key in double quotes/],
    ["{a: 1}", 1, 2, /key in double quotes/],
    ['{"a" 1}', 1, 6, /colon after the key "a"/],
    ['{"a": yes}', 1, 7, /a value/],
    ['{"a": True}', 1, 7, /a value/],
    ['{"a": 0104}', 1, 7, /a value/],
    ['{"a": // no\n1}', 1, 7, /comments are not allowed/],
    ['{\r\n\r\n"a": "D:\\dicom"}', 3, 9, /every backslash written twice/],
    ['{"a": "\\u00g0"}', 1, 8, /every backslash/],
    ['{"a": "x\ny"}', 1, 7, /closing double quote/],
    ['{"a": "x\ty"}', 1, 9, /control character/],
    ['{"a": 1', 1, 8, /ends too early/],
    ['{"a": ', 1, 7, /ends too early/],
    ['{"a": 1} x', 1, 10, /nothing more/],
    ['{"a": 1, "b": 2, "\\u0061": 3}', 1, 18, /"a" is there twice/],
    ["[".repeat(60), 1, 52, /at most 50/],
  ];
  for (const [text, line, column, wanted] of cases) {
    const fault = findJsonFault(text);
    assert(fault !== null, text);
    assert.deepEqual([fault.line, fault.column], [line, column], text);
    assert.match(fault.wanted, wanted, text);
  }
});

Deno.test("what JSON.stringify writes has no fault, indented or not", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 2), (value, indent) => {
    assert.equal(findJsonFault(JSON.stringify(value, null, indent)), null);
  }));
});

Deno.test("text without a fault is text that JSON.parse takes, and the other way round", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b"',
    '"\\',
    "1",
    "-0.5e3",
    "01",
    "null",
    " ",
    "\n",
    "\\",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
      const text = pieces.join("");
      const fault = findJsonFault(text);
      const parses = (() => {
        try {
          JSON.parse(text);
          return true;
        } catch {
          return false;
        }
      })();
      assert.equal(parses, fault === null || fault.wanted.includes("there twice"), text);
    }),
    { numRuns: 5000 },
  );
});
