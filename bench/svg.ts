/*
 * What both kinds of plots have in common: the card they stand on, colours, text. Pure.
 *
 * A drawing brings its own background, and changes it together with its ink where the viewer prefers dark: so it can be
 * read in a light and in a dark README, and also where the page's theme and the system's differ. No scripts and no fonts
 * from elsewhere, for GitHub shows neither.
 */

/** Colours that stay apart for colour-blind readers, for a light and for a dark ground. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#0067b8", "#58a6ff"],
  ["#c2510a", "#ff9a4d"],
  ["#00795c", "#3fc79a"],
  ["#a03a86", "#e08bcb"],
  ["#8a6d00", "#e3c04d"],
  ["#5f5bb8", "#a9a5ff"],
  ["#5c6670", "#a3adb8"],
];

/** Of a character of the sans serif font at one pixel of size, on the average; widths are estimates. */
const CHARACTER_WIDTH = 0.56;

/** How many colours there are; a further series takes the first again. */
export const COLOUR_COUNT = COLOURS.length;

/** Estimated width of a text, in pixels. */
export function textWidth(text: string, size: number): number {
  return text.length * size * CHARACTER_WIDTH;
}

/** A number for an attribute: tenths of a pixel are enough. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** A text element; `anchor` says which end of it x is. */
export function textAt(
  x: number,
  y: number,
  text: string,
  { anchor = "start", style = "t" }: {
    readonly anchor?: "start" | "middle" | "end";
    readonly style?: "t" | "h" | "m" | "b";
  } = {},
): string {
  return `<text class="${style}" x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${
    escapeXml(text)
  }</text>`;
}

/** The class of the nth series: `c0`, `c1`, and so on; `fill` and `stroke` are its colour. */
export function colourClass(n: number): string {
  return `c${n % COLOUR_COUNT}`;
}

/** A whole drawing of `parts`, elements on a card of the given size in pixels. */
export function svgCard(
  width: number,
  height: number,
  title: string,
  parts: readonly string[],
): string {
  const rules = (which: 0 | 1) =>
    COLOURS.map((pair, n) => `.c${n}{fill:${pair[which]};stroke:${pair[which]}}`).join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${px(width)} ${px(height)}" ` +
    `width="${px(width)}" height="${px(height)}" role="img" aria-label="${escapeXml(title)}">`,
    `<title>${escapeXml(title)}</title>`,
    "<style>",
    "text{font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:12px;" +
    "fill:#1f2328}",
    ".h{font-size:15px;font-weight:600}.b{font-weight:600}.m{fill:#57606a}",
    ".card{fill:#fff;stroke:#d0d7de}.grid{stroke:#d8dee4}.axis{stroke:#6e7781}",
    rules(0) + ".line{fill:none}",
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.m{fill:#9da7b3}" +
    ".card{fill:#0d1117;stroke:#30363d}.grid{stroke:#272d35}.axis{stroke:#8b949e}" + rules(1) +
    ".line{fill:none}}",
    "</style>",
    `<rect class="card" x="0.5" y="0.5" width="${px(width - 1)}" height="${
      px(height - 1)
    }" rx="6"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
