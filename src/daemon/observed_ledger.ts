/*
 * The ledger as it is, with what becomes of instances told to whoever counts: delivered, given up, put back.
 *
 * What was accepted is told by the receiver, who knows more of it.
 */

import type { Activity } from "../activity/activity.ts";
import { classifyStoreStatus } from "../dicom/status.ts";
import type { Delivered, EventTaker, Untimed } from "../ledger/event.ts";
import { receivedMsOf, studyOf } from "../spool/entry_name.ts";

/** What is told. */
export interface InstanceObserver
  extends Pick<Activity<never>, "delivered" | "failed" | "retried" | "removed"> {
  /** Another one is in `corrupt/`. */
  corrupt(): void;
}

/**
 * Hands events on to the ledger, and what they say to the observer.
 *
 * @param hasFailed whether an instance lies in `failed/` for a destination now
 */
export function observedLedger(
  ledger: EventTaker,
  observer: InstanceObserver,
  hasFailed: (id: string, destination: string) => boolean,
): EventTaker {
  return {
    append(event, afterwards) {
      ledger.append(event, afterwards);
      const { id } = event;
      switch (event.event) {
        case "delivered":
          observer.delivered(event.to, studyOf(id), resultOf(event), receivedMsOf(id));
          return;
        case "failed":
          observer.failed(event.to, studyOf(id), event.kind);
          return;
        case "retried":
          // A person's word comes before it is done; it may also be about one that waits, and is to go at once.
          if (event.who !== undefined && !hasFailed(id, event.of)) return;
          observer.retried(studyOf(id), event.of, event.for);
          return;
        case "removed":
          observer.removed(event.to, studyOf(id), hasFailed(id, event.to) ? "failed" : "queued");
          return;
        case "corrupt":
          observer.corrupt();
          return;
      }
    },
  };
}

/** A folder has no status: what is there is stored. */
function resultOf({ status }: Untimed<Delivered>) {
  if (status === undefined) return "stored";
  return classifyStoreStatus(Number.parseInt(status, 16));
}
