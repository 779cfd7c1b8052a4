/*
 * Breaks text into lines at spaces. Pure.
 */

/** A label and what is said of it: `Spool        /var/spool`. What follows hangs under the latter. */
const HANGING = /^(?:\S+ )*\S+ {2,}/;

/**
 * Lines of at most `width` characters. A word that is longer is cut, so that nothing goes over the edge; the lines after
 * the first hang under the second column where there is one.
 */
export function wrap(text: string, width: number): string[] {
  const hang = HANGING.exec(text)?.[0].length ?? 0;
  const indent = " ".repeat(hang < width / 2 ? hang : 0);
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const at = space > indent.length ? space : width;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
