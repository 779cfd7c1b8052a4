/*
 * What can be seen of a running forwarder, for those who show it: the view of it, its throughput, its studies, its metrics,
 * the last lines of its log.
 */

import type { LogLine, StudyList, StudyQuery, Throughput } from "../control/views.ts";
import { OverviewMaker, type OverviewParts } from "./overview.ts";
import type { Watching } from "./watching.ts";

export class Figures extends OverviewMaker {
  readonly #watching: Watching;
  readonly #now: () => number;

  constructor(watching: Watching, parts: Omit<OverviewParts, "activity" | "corrupt">) {
    super({ ...parts, activity: watching.activity, corrupt: () => watching.corrupt() });
    this.#watching = watching;
    this.#now = parts.now;
  }

  /** The last ten minutes, a value a second. */
  throughput(): Throughput {
    return this.#watching.activity.throughput.read(this.#now());
  }

  /** Studies in flight or lately. */
  studies(query: StudyQuery): Promise<StudyList> {
    return this.#watching.activity.studies.search(query);
  }

  /** The last lines of the log, oldest first. */
  log(limit: number): LogLine[] {
    return this.#watching.log.read(limit);
  }
}
