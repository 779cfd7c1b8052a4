/*
 * XML out of plain values: elements and attributes in, one line of text out.
 *
 * Pure. Whatever stands in a value, the result is well-formed XML 1.0 on a single line: markup is escaped, and what XML has
 * no place for (control characters, lone surrogates, noncharacters) or a line cannot hold becomes U+FFFD. Long values are
 * cut, so that what came over the network decides how much is sent no further than to a bound.
 */

/** Characters of a value, at most: more than any DICOM value that is told has (PS3.5 §6.2, PN: 324). */
const LONGEST = 330;

/** A value of an attribute or an element. */
type Value = string | number | boolean | undefined | null;

/** Escapes a text for an element or an attribute in double quotes. */
export function escapeXml(text: string): string {
  const clean = clipped(text).toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029\ufffe\uffff]/gu, "\ufffd");
  return clean.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** An element; attributes without a value are left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, Value>>,
  content: readonly string[] = [],
): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`).join("");
  if (content.length === 0) return `<${name}${list}/>`;
  return `<${name}${list}>${content.join("")}</${name}>`;
}

/** By characters, so that no surrogate loses its other half. */
function clipped(text: string): string {
  if (text.length <= LONGEST) return text;
  return `${Array.from(text.slice(0, 2 * LONGEST)).slice(0, LONGEST).join("")}...`;
}
