import assert from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import fc from "fast-check";
import { escapeText, LineFormatter } from "../../src/log/line.ts";

const TEXT = new LineFormatter({ json: false, skip: 1 });

function record(part: Partial<LogRecord>): LogRecord {
  return {
    category: ["root", "receiver"],
    level: "info",
    message: ["Instance received"],
    rawMessage: "Instance received",
    timestamp: new Date(2026, 10, 23, 14, 5, 9, 7).getTime(),
    properties: {},
    ...part,
  };
}

/** What stands behind time, level and category. */
function said(part: Partial<LogRecord>): string {
  return TEXT.format(record(part)).slice("2026-11-23 14:05:09.007 INFO  receiver  ".length, -1);
}

Deno.test("text without anything unsafe stays as it is", () => {
  for (
    const text of [
      "",
      "DOE^JOHN",
      "1.2.840.10008.1.2",
      "M\u00fcller^J\u00f6rg",
      "\u5c71\u7530",
      "\u{1f600}",
    ]
  ) {
    assert.equal(escapeText(text), text);
  }
});

Deno.test("control, bidi and separator characters, lone surrogates and backslashes are escaped", () => {
  const cases: [string, string][] = [
    ["a\r\nb\tc", "a\\x0d\\x0ab\\x09c"],
    ["\0\x1b[31m\x7f", "\\x00\\x1b[31m\\x7f"],
    ["\x80\x85\x9f\xa0", "\\x80\\x85\\x9f\xa0"],
    ["\u2028\u2029", "\\u{2028}\\u{2029}"],
    ["\u202a\u202b\u202c\u202d\u202e", "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}"],
    ["\u2066\u2067\u2068\u2069", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}"],
    ["\u200e\u200f\u061c", "\\u{200e}\\u{200f}\\u{61c}"],
    ["\ufeff", "\\u{feff}"],
    ["\ud83d!\ude00", "\\u{d83d}!\\u{de00}"],
    ["C:\\x0a", "C:\\\\x0a"],
  ];
  for (const [text, escaped] of cases) assert.equal(escapeText(text), escaped);
});

Deno.test("long text is cut with the number of characters left out, never inside a character", () => {
  assert.equal(escapeText("x".repeat(256)), "x".repeat(256));
  assert.equal(escapeText("x".repeat(1000)), "x".repeat(256) + "...(744 more)");
  assert.equal(escapeText("abcdef", 3), "abc...(3 more)");
  assert.equal(escapeText("ab\u{1f600}def", 3), "ab...(5 more)");
  assert.equal(escapeText("\n".repeat(9), 2), "\\x0a\\x0a...(7 more)");
});

Deno.test("whatever text is escaped is one line and can be read back without doubt", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
    const [one, other] = [escapeText(a, 1e6), escapeText(b, 1e6)];
    assert(!/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_C}]/u.test(one));
    assert.equal(one === other, a === b);
  }));
});

Deno.test("a line is local time, level, part of the program, the sentence, then key=value", () => {
  const line = TEXT.format(record({ properties: { sop: "1.2.3", bytes: 526_000, last: true } }));
  assert.equal(
    line,
    "2026-11-23 14:05:09.007 INFO  receiver  Instance received  sop=1.2.3 bytes=526000 last=true\n",
  );
});

Deno.test("the columns before the sentence are the same for every level", () => {
  const starts = (["debug", "info", "warning", "error"] as const).map((level) =>
    TEXT.format(record({ level })).slice(24, 40)
  );
  assert.deepEqual(starts, [
    "DEBUG receiver  ",
    "INFO  receiver  ",
    "WARN  receiver  ",
    "ERROR receiver  ",
  ]);
});

Deno.test("what the sentence says is not said again behind it", () => {
  const text = said({
    rawMessage: "Association from {callingAe}, {{really}}",
    message: ["Association from ", "CT1", ", {really}"],
    properties: { callingAe: "CT1", really: 1 },
  });
  assert.equal(text, "Association from CT1, {really}  really=1");
});

Deno.test("values with spaces, quotes or equals signs are quoted, missing ones left out", () => {
  const text = said({
    properties: { a: "x y", b: 'say "hi"', c: "k=v", d: "", e: undefined, f: null, g: "plain" },
  });
  assert.equal(text, 'Instance received  a="x y" b="say \\"hi\\"" c="k=v" d="" f=null g=plain');
});

Deno.test("values of every kind are shown in a way a person can read", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const values: [unknown, string][] = [
    [12n, "12"],
    [["a", "b"], "a,b"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Uint8Array(5), '"<5 bytes>"'],
    [{ a: 1 }, '"{\\"a\\":1}"'],
    [new Error("reset", { cause: new Error("cable") }), '"Error: reset; because Error: cable"'],
  ];
  for (const [value, shown] of values) {
    assert.equal(said({ properties: { value } }), `Instance received  value=${shown}`);
  }
  assert.match(said({ properties: { circle } }), /circle="<cannot be shown: /);
  assert.match(said({ properties: { error: new TypeError("bug") } }), /bug \(at .*line_test\.ts:/);
});

Deno.test("a record is one line, whatever the network has put into its message, keys and values", () => {
  const any = fc.string({ unit: "binary", maxLength: 3000 });
  const json = new LineFormatter({ json: true, skip: 1 });
  fc.assert(
    fc.property(any, any, fc.dictionary(any, fc.anything()), (text, value, more) => {
      const odd = record({
        category: ["root", text],
        message: [text, value, ""],
        rawMessage: "{x}",
        properties: { ...more, value },
      });
      for (const lines of [TEXT, json]) {
        const line = lines.format(odd);
        assert.equal(line.search(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_C}]/u), line.length - 1);
        assert(line.endsWith("\n"));
      }
      const parsed = JSON.parse(json.format(odd));
      assert.equal(parsed.level, "info");
    }),
  );
});

Deno.test("JSON lines carry time, level, part, message and the properties", () => {
  const json = new LineFormatter({ json: true, skip: 1 });
  const line = json.format(record({ properties: { bytes: 5, ok: true, ae: "CT 1", level: "x" } }));
  assert.deepEqual(JSON.parse(line), {
    time: new Date(2026, 10, 23, 14, 5, 9, 7).toISOString(),
    level: "info",
    category: "receiver",
    message: "Instance received",
    bytes: 5,
    ok: true,
    ae: "CT 1",
    _level: "x",
  });
});

Deno.test("the local day of a record changes at local midnight", () => {
  assert.equal(TEXT.day(new Date(2026, 11, 31, 23, 59, 59, 999).getTime()), "20261231");
  assert.equal(TEXT.day(new Date(2027, 0, 1).getTime()), "20270101");
});
