/*
 * The few shapes that drawings are made of, as SVG text. Colours are such that they can be read on light and on dark
 * ground; nothing is loaded from elsewhere. Pure.
 */

/** Of text and lines of reference. */
export const INK = "#7a828e";
/** The forwarder's own. */
export const OURS = "#2f81f7";
/** Of others, in order. */
export const OTHERS = ["#bf8700", "#8250df", "#cf222e", "#1a7f37", "#0e8a8a", "#b35900"] as const;

export interface TextOptions {
  readonly anchor?: "start" | "middle" | "end";
  readonly size?: number;
  readonly bold?: boolean;
  readonly fill?: string;
  /** Degrees, about its own place. */
  readonly turn?: number;
}

export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  const { anchor = "start", size = 12, bold = false, fill = INK, turn = 0 } = options;
  const weight = bold ? ' font-weight="600"' : "";
  const turned = turn === 0 ? "" : ` transform="rotate(${turn} ${round(x)} ${round(y)})"`;
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}"` +
    ` fill="${fill}"${weight}${turned}>${escape(content)}</text>`;
}

export function rectangle(x: number, y: number, width: number, height: number, fill: string) {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"` +
    ` rx="2" fill="${fill}"/>`;
}

export function line(
  from: readonly [number, number],
  to: readonly [number, number],
  stroke = INK,
  opacity = 0.35,
): string {
  return `<line x1="${round(from[0])}" y1="${round(from[1])}" x2="${round(to[0])}"` +
    ` y2="${round(to[1])}" stroke="${stroke}" stroke-opacity="${opacity}"/>`;
}

export function polyline(points: readonly (readonly [number, number])[], stroke: string): string {
  const list = points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
  return `<polyline points="${list}" fill="none" stroke="${stroke}" stroke-width="2"/>`;
}

export function dot(x: number, y: number, fill: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="3" fill="${fill}"/>`;
}

/** A whole drawing. */
export function drawing(
  width: number,
  height: number,
  title: string,
  shapes: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"` +
    ` height="${height}" font-family="system-ui, sans-serif" role="img">`,
    `<title>${escape(title)}</title>`,
    ...shapes,
    "</svg>",
    "",
  ].join("\n");
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
