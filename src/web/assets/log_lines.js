/*
 * Which lines of the log are new: the API tells the last ones each time, without numbers. Pure.
 */

/** Those of `told` that come after what is known, with keys. */
export function newLines(known, told, key) {
  const last = known.at(-1);
  let from = 0;
  if (last !== undefined) {
    for (let i = told.length - 1; i >= 0; i--) {
      if (same(told[i], last) && (i === 0 || known.length < 2 || same(told[i - 1], known.at(-2)))) {
        from = i + 1;
        break;
      }
    }
  }
  return told.slice(from).map((line) => ({ ...line, key: key() }));
}

function same(one, other) {
  return one.at === other.at && one.text === other.text;
}
