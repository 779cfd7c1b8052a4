/*
 * What the forwarder is meant to reach, and whether a run's figures do. Nothing fails by it: a slow disk is no defect of the
 * program, and who looks at the figures is to see which goals they meet. Pure.
 */

import { formatBytes } from "../src/cli/terminal.ts";
import type { SubjectName, Work } from "./cases.ts";
import type { Kind } from "./load.ts";
import type { Result } from "./report.ts";

/** A goal beside what was measured. */
export interface Verdict {
  readonly goal: string;
  /** What was measured, in words; empty where it was not. */
  readonly measured: string;
  readonly met: boolean;
}

const SLICES = "526 KB";
const SMALL = "12 KB";

/** The most memory of the program in any case, in bytes. */
const MOST_RSS = 150_000_000;

/** Holds results against the goals. */
export function verdicts(all: readonly Result[]): Verdict[] {
  const find = (kind: Kind, subject: SubjectName, work: Work, senders = 1) =>
    all.find((one) =>
      one.kind === kind && one.subject === subject && one.work === work &&
      one.senders === senders && one.destinations === 1
    );
  /** Our time over another's. */
  const over = (kind: Kind, work: Work, senders: number, other: SubjectName) => {
    const floor = other === "sync" || other === "straight";
    const [ours, theirs] = [
      find(kind, "forwarder", work, senders),
      find(kind, other, floor ? "floor" : work, other === "sync" ? 1 : senders),
    ];
    return ours === undefined || theirs === undefined ? undefined : ours.wallS / theirs.wallS;
  };
  const atMost = (goal: string, limit: number, ratio: number | undefined): Verdict => ({
    goal: `${goal}: at most ${limit} x`,
    measured: ratio === undefined ? "" : `${ratio.toFixed(2)} x`,
    met: ratio !== undefined && ratio <= limit,
  });
  const faster = (goal: string, limit: number, ratio: number | undefined): Verdict => ({
    goal: `${goal}: at least ${limit} x faster`,
    measured: ratio === undefined ? "" : `${(1 / ratio).toFixed(1)} x faster`,
    met: ratio !== undefined && 1 / ratio >= limit,
  });
  return [
    atMost(`Receive ${SLICES}, one sender, beside sync`, 1.5, over("slices", "receive", 1, "sync")),
    atMost(
      `Receive ${SLICES}, four senders, beside sync`,
      1.2,
      over("slices", "receive", 4, "sync"),
    ),
    ...([["slices", SLICES], ["small", SMALL]] as const).flatMap(([kind, load]) => [
      atMost(`Receive ${load}, beside storescp`, 1.3, over(kind, "receive", 1, "storescp")),
      faster(`Receive ${load}, beside dcmjs-dimse`, 1.8, over(kind, "receive", 1, "dcmjs-dimse")),
    ]),
    atMost(`End to end ${SLICES}, beside sync`, 2, over("slices", "end-to-end", 1, "sync")),
    faster(`End to end ${SLICES}, beside orthanc`, 7, over("slices", "end-to-end", 1, "orthanc")),
    faster(`End to end ${SMALL}, beside orthanc`, 12, over("small", "end-to-end", 1, "orthanc")),
    memory(all),
  ];
}

function memory(all: readonly Result[]): Verdict {
  const ours = all.filter((one) => one.subject === "forwarder");
  const most = Math.max(...ours.map((one) => one.peakRssBytes ?? 0));
  return {
    goal: `Peak RSS in every case: at most ${formatBytes(MOST_RSS)}`,
    measured: ours.length === 0 ? "" : formatBytes(most),
    met: ours.length > 0 && most <= MOST_RSS,
  };
}
