/*
 * The headline figures as bars: the time an instance takes through each program. Pure.
 */

import type { SubjectName, Work } from "./cases.ts";
import type { Kind } from "./load.ts";
import type { Result } from "./report.ts";
import { px, svgCard, textAt } from "./svg.ts";

const WIDTH = 760;
const EDGE = 20;
const LABELS = 222;
const BAR = 16;
const GAP = 5;
/** Room for the figure behind the longest bar. */
const FIGURE = 80;

const TITLE = "Milliseconds an image takes, one sender (shorter is better)";

/** Ours stands out; what is not durable is grey, for it does less. */
const COLOURS: Readonly<Partial<Record<SubjectName, string>>> = {
  forwarder: "c0",
  orthanc: "c1",
  sync: "c2",
  storescp: "c6",
  "dcmjs-dimse": "c6",
};

interface Group {
  readonly title: string;
  readonly kind: Kind;
  readonly work: Work;
  readonly bars: readonly { readonly subject: SubjectName; readonly label: string }[];
}

const FORWARDER = { subject: "forwarder", label: "DICOM Forwarder, durable" } as const;
const ORTHANC = { subject: "orthanc", label: "Orthanc, durable" } as const;
const FLOOR = { subject: "sync", label: "One sync each: the disk alone" } as const;
const NOT_DURABLE = [
  { subject: "storescp", label: "DCMTK storescp, not durable" },
  { subject: "dcmjs-dimse", label: "dcmjs-dimse, not durable" },
] as const;

const GROUPS: readonly Group[] = (["receive", "end-to-end"] as const).flatMap((work) =>
  ([["slices", "CT slices of 526 KB"], ["small", "images of 12 KB"]] as const)
    .map(([kind, what]) => ({
      title: `${work === "receive" ? "Received" : "Received and forwarded"}: ${what}`,
      kind,
      work,
      bars: work === "receive"
        ? [FLOOR, FORWARDER, ...NOT_DURABLE, ORTHANC]
        : [FLOOR, FORWARDER, ORTHANC],
    }))
);

/** Draws what of the headline figures was measured. */
export function barPlot(all: readonly Result[]): string {
  const shapes = [textAt(EDGE, 30, TITLE, { style: "h" })];
  const found = GROUPS.map((group) => ({ group, bars: barsOf(group, all) }))
    .filter(({ bars }) => bars.length > 0);
  const most = Math.max(...found.flatMap(({ bars }) => bars.map((bar) => bar.ms)));
  let y = 40;
  for (const { group, bars } of found) {
    y += 22;
    shapes.push(textAt(EDGE, y, group.title, { style: "b" }));
    y += 9;
    for (const { subject, label, ms } of bars) {
      const width = Math.max(2, ms / most * (WIDTH - LABELS - FIGURE));
      shapes.push(textAt(LABELS - 8, y + BAR - 4, label, { anchor: "end" }));
      shapes.push(
        `<rect class="${COLOURS[subject]}" stroke="none" x="${LABELS}" y="${px(y)}" ` +
          `width="${px(width)}" height="${BAR}" rx="2"/>`,
      );
      shapes.push(textAt(LABELS + width + 6, y + BAR - 4, `${ms.toFixed(2)} ms`, { style: "m" }));
      y += BAR + GAP;
    }
  }
  return svgCard(WIDTH, y + 14, TITLE, shapes);
}

function barsOf(group: Group, all: readonly Result[]) {
  return group.bars.flatMap(({ subject, label }) => {
    const result = all.find((one) =>
      one.kind === group.kind && one.subject === subject &&
      (one.work === group.work || one.work === "floor") &&
      one.senders === 1 && one.destinations === 1
    );
    if (result === undefined) return [];
    return [{ subject, label, ms: result.wallS * 1000 / result.instances }];
  });
}
