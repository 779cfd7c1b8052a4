/*
 * A plot as figures: what was measured against what. Pure data, for whoever draws it.
 */

export interface Axis {
  readonly label: string;
  readonly unit: "s" | "ms" | "MB" | "bytes" | "MB/s" | "instances/s" | "entries" | "";
}

/** One line of a plot. */
export interface Series {
  readonly name: string;
  /** x and y, x ascending; y null where nothing could be measured. */
  readonly points: readonly (readonly [number, number | null])[];
}

export interface Figure {
  /** File name of the drawing, without its ending. */
  readonly name: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Both axes are logarithmic unless this says otherwise. */
  readonly linearY?: boolean;
  readonly series: readonly Series[];
}
