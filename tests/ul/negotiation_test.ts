/*
 * Presentation contexts: every proposal answered once, nothing accepted that was not proposed, plans with fallbacks.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  acceptedContexts,
  answerContexts,
  findCarriage,
  MOST_CONTEXTS,
  planContexts,
  type StoragePair,
} from "../../src/ul/negotiation.ts";
import type { ProposedContext } from "../../src/ul/pdu.ts";
import { CT, EXPLICIT, JPEG, MR } from "../helpers/pdus.ts";

const IMPLICIT = "1.2.840.10008.1.2";
const ALL = () => true;

function proposal(id: number, abstractSyntax = CT, ...transferSyntaxes: string[]): ProposedContext {
  return { id, abstractSyntax, transferSyntaxes };
}

Deno.test("128 contexts are answered once each, in order, with the transfer syntax proposed first", () => {
  const proposed = Array.from(
    { length: 128 },
    (_, n) => proposal(n * 2 + 1, `1.2.3.${n}`, JPEG, EXPLICIT, IMPLICIT),
  );
  const answers = answerContexts(proposed, ALL);
  assert.deepEqual(
    answers,
    proposed.map(({ id }) => ({ id, result: 0, transferSyntax: JPEG })),
  );
  const accepted = acceptedContexts(proposed, answers);
  assert.equal(accepted.size, 128);
  assert.deepEqual(accepted.get(255), {
    id: 255,
    abstractSyntax: "1.2.3.127",
    transferSyntax: JPEG,
  });
});

Deno.test("an abstract syntax not served gets result 3, a context without transfer syntax 4, an even id none of both", () => {
  const answers = answerContexts(
    [proposal(1, "1.9", EXPLICIT), proposal(3), proposal(4, CT, EXPLICIT), proposal(0, CT, JPEG)],
    (abstractSyntax) => abstractSyntax === CT,
  );
  assert.deepEqual(answers.map(({ id, result }) => [id, result]), [[1, 3], [3, 4], [4, 2], [0, 2]]);
});

Deno.test("an id proposed twice means what the answer to it says: the first proposal", () => {
  const proposed = [proposal(1, CT, EXPLICIT), proposal(1, MR, EXPLICIT), proposal(1, MR, JPEG)];
  const answers = answerContexts(proposed, ALL);
  assert.deepEqual(answers, [{ id: 1, result: 0, transferSyntax: EXPLICIT }]);
  assert.deepEqual([...acceptedContexts(proposed, answers).values()], [
    { id: 1, abstractSyntax: CT, transferSyntax: EXPLICIT },
  ]);
});

Deno.test("a transfer syntax that is no UID is passed over, and never agreed on", () => {
  const long = `1.2.${"3".repeat(5000)}`;
  for (const strange of ["", long, "1.2.3\n", "../../x", "a"]) {
    const answers = answerContexts([proposal(1, CT, strange, EXPLICIT)], ALL);
    assert.deepEqual(
      answers,
      [{ id: 1, result: 0, transferSyntax: EXPLICIT }],
      strange.slice(0, 9),
    );
    assert.equal(
      answerContexts([proposal(1, CT, strange)], ALL)[0]!.result,
      4,
      strange.slice(0, 9),
    );
  }
});

Deno.test("an acceptance of what was never proposed counts as none", () => {
  const proposed = [proposal(1, CT, EXPLICIT), proposal(3, MR, JPEG, EXPLICIT)];
  const accepted = acceptedContexts(proposed, [
    { id: 1, result: 0, transferSyntax: JPEG }, // not proposed in this context
    { id: 3, result: 0, transferSyntax: EXPLICIT },
    { id: 5, result: 0, transferSyntax: EXPLICIT }, // an id never proposed
    { id: 7, result: 4, transferSyntax: EXPLICIT },
  ]);
  assert.deepEqual([...accepted.values()], [
    { id: 3, abstractSyntax: MR, transferSyntax: EXPLICIT },
  ]);
});

for (const result of [1, 2, 3, 4, 5, 255]) {
  Deno.test(`a context answered with result ${result} is not accepted`, () => {
    const proposed = [proposal(1, CT, EXPLICIT)];
    assert.equal(acceptedContexts(proposed, [{ id: 1, result, transferSyntax: EXPLICIT }]).size, 0);
  });
}

Deno.test("a plan has each stored pair first, then two uncompressed contexts for each SOP class", () => {
  const pairs: StoragePair[] = [
    { sopClassUid: CT, transferSyntaxUid: JPEG },
    { sopClassUid: MR, transferSyntaxUid: EXPLICIT },
    { sopClassUid: CT, transferSyntaxUid: JPEG },
  ];
  assert.deepEqual(planContexts(pairs, true), [
    proposal(1, CT, JPEG),
    proposal(3, MR, EXPLICIT),
    proposal(5, CT, EXPLICIT),
    proposal(7, CT, IMPLICIT),
    proposal(9, MR, IMPLICIT),
  ]);
  assert.deepEqual(planContexts(pairs, false), [proposal(1, CT, JPEG), proposal(3, MR, EXPLICIT)]);
});

Deno.test("no plan has more than 128 contexts, an even id, an id twice or a pair twice", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          sopClassUid: fc.integer({ min: 1, max: 90 }).map((n) => `1.2.${n}`),
          transferSyntaxUid: fc.constantFrom(EXPLICIT, IMPLICIT, JPEG, "1.2.3"),
        }),
        { maxLength: 300 },
      ),
      fc.boolean(),
      (pairs, fallbacks) => {
        const plan = planContexts(pairs, fallbacks);
        assert.ok(plan.length <= MOST_CONTEXTS);
        const keys = plan.map((each) => `${each.abstractSyntax} ${each.transferSyntaxes}`);
        assert.equal(new Set(keys).size, keys.length);
        plan.forEach(({ id }, n) => assert.equal(id, n * 2 + 1));
        const wanted = [...new Set(pairs.map((p) => `${p.sopClassUid} ${p.transferSyntaxUid}`))];
        assert.deepEqual(keys.slice(0, Math.min(128, wanted.length)), wanted.slice(0, 128));
      },
    ),
    { numRuns: 200 },
  );
});

/** Proposes for one CT in JPEG and answers as told; the kind of way that is left for it. */
function carriage(answer: (transferSyntax: string) => number, pair?: StoragePair) {
  const jpeg = { sopClassUid: CT, transferSyntaxUid: JPEG };
  const proposed = planContexts([jpeg], true);
  const answers = proposed.map(({ id, transferSyntaxes: [transferSyntax] }) => ({
    id,
    result: answer(transferSyntax!),
    transferSyntax: transferSyntax!,
  }));
  const accepted = acceptedContexts(proposed, answers);
  return findCarriage(pair ?? jpeg, proposed, accepted, answers);
}

Deno.test("an instance goes as stored where that is accepted, transcoded where only uncompressed is", () => {
  const asStored = carriage(() => 0);
  assert.equal(asStored.kind, "as-stored");
  assert.ok(asStored.kind === "as-stored");
  assert.equal(asStored.context.transferSyntax, JPEG);
  const transcoded = carriage((transferSyntax) => transferSyntax === IMPLICIT ? 0 : 4);
  assert.ok(transcoded.kind === "transcoded");
  assert.equal(transcoded.context.transferSyntax, IMPLICIT);
  const better = carriage((transferSyntax) => transferSyntax === JPEG ? 4 : 0);
  assert.ok(better.kind === "transcoded");
  assert.equal(better.context.transferSyntax, EXPLICIT);
});

Deno.test("refused contexts say whether the transfer syntax or the SOP class is at fault", () => {
  assert.deepEqual(carriage(() => 4), { kind: "transfer-syntax-refused" });
  for (const result of [1, 2, 3]) {
    assert.deepEqual(carriage(() => result), { kind: "sop-class-refused", result });
  }
});

Deno.test("an acceptance with a transfer syntax of the peer's own choice is no refusal of the SOP class", () => {
  const jpeg = { sopClassUid: CT, transferSyntaxUid: JPEG };
  const proposed = planContexts([jpeg], true);
  const answers = proposed.map(({ id }) => ({
    id,
    result: 0,
    transferSyntax: "1.2.840.10008.1.2.4.90",
  }));
  const accepted = acceptedContexts(proposed, answers);
  assert.equal(accepted.size, 0);
  assert.deepEqual(findCarriage(jpeg, proposed, accepted, answers), {
    kind: "transfer-syntax-refused",
  });
});

Deno.test("what was not proposed is not called refused", () => {
  const other = { sopClassUid: MR, transferSyntaxUid: JPEG };
  assert.deepEqual(carriage(() => 0, other), { kind: "not-proposed" });
  const newSyntax = { sopClassUid: CT, transferSyntaxUid: "1.2.840.10008.1.2.5" };
  assert.deepEqual(carriage(() => 0, newSyntax), { kind: "not-proposed" });
});
