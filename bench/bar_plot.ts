/*
 * The headline figures as bars: the time an instance takes through each program. Pure.
 */

import type { SubjectName, Work } from "./cases.ts";
import type { Result } from "./report.ts";
import { drawing, INK, OTHERS, OURS, rectangle, text } from "./svg.ts";

const WIDTH = 760;
const LABELS = 190;
const BAR = 16;
const GAP = 5;
/** Room for the figure behind the longest bar. */
const FIGURE = 80;

interface Group {
  readonly title: string;
  readonly load: string;
  readonly work: Work;
  readonly bars: readonly { readonly subject: SubjectName; readonly label: string }[];
}

const FORWARDER = { subject: "forwarder", label: "DICOM Forwarder, durable" } as const;
const ORTHANC = { subject: "orthanc", label: "Orthanc, durable" } as const;
const NOT_DURABLE = [
  { subject: "storescp", label: "DCMTK storescp, not durable" },
  { subject: "dcmjs-dimse", label: "dcmjs-dimse, not durable" },
] as const;

const GROUPS: readonly Group[] = (["receive", "end-to-end"] as const).flatMap((work) =>
  ([["526 KB x 1000", "1,000 CT slices of 526 KB"], [
    "12 KB x 2000",
    "2,000 images of 12 KB",
  ]] as const)
    .map(([load, what]) => ({
      title: `${work === "receive" ? "Received" : "Received and forwarded"}: ${what}`,
      load,
      work,
      bars: work === "receive" ? [FORWARDER, ...NOT_DURABLE, ORTHANC] : [FORWARDER, ORTHANC],
    }))
);

/** Draws what of the headline figures was measured. */
export function barPlot(all: readonly Result[]): string {
  const shapes = [
    text(0, 18, "Milliseconds an image takes, one sender (shorter is better)", {
      size: 15,
      bold: true,
    }),
  ];
  const found = GROUPS.map((group) => ({ group, bars: barsOf(group, all) }));
  const most = Math.max(...found.flatMap(({ bars }) => bars.map((bar) => bar.ms)));
  let y = 34;
  for (const { group, bars } of found) {
    if (bars.length === 0) continue;
    y += 18;
    shapes.push(text(0, y, group.title, { bold: true }));
    y += 8;
    for (const { subject, label, ms } of bars) {
      const width = Math.max(2, ms / most * (WIDTH - LABELS - FIGURE));
      shapes.push(text(LABELS - 8, y + BAR - 4, label, { anchor: "end" }));
      shapes.push(rectangle(LABELS, y, width, BAR, colourOf(subject)));
      shapes.push(text(LABELS + width + 6, y + BAR - 4, `${ms.toFixed(2)} ms`, { fill: INK }));
      y += BAR + GAP;
    }
  }
  return drawing(WIDTH, y + 8, "Time an image takes through each program", shapes);
}

function barsOf(group: Group, all: readonly Result[]) {
  return group.bars.flatMap(({ subject, label }) => {
    const result = all.find((one) =>
      one.load === group.load && one.work === group.work && one.subject === subject &&
      one.senders === 1 && one.destinations === 1
    );
    if (result === undefined) return [];
    return [{ subject, label, ms: result.wallS * 1000 / result.instances }];
  });
}

function colourOf(subject: SubjectName): string {
  switch (subject) {
    case "forwarder":
      return OURS;
    case "orthanc":
      return OTHERS[2];
    case "storescp":
      return OTHERS[0];
    default:
      return OTHERS[1];
  }
}
