/*
 * The ledger as it is, with what becomes of instances told to whoever counts: delivered, given up, put back.
 *
 * What was accepted is told by the receiver, who knows more of it, and what was removed by who removes it.
 */

import type { Activity } from "../activity/activity.ts";
import { classifyStoreStatus } from "../dicom/status.ts";
import type { Delivered, EventTaker, Untimed } from "../ledger/event.ts";
import { receivedMsOf, studyOf } from "../spool/entry_name.ts";

/** What is told. */
export interface InstanceObserver
  extends Pick<Activity<never>, "delivered" | "failed" | "retried"> {
  /** Another one is in `corrupt/`. */
  corrupt(): void;
}

/** Hands events on to the ledger, and what they say to the observer. */
export function observedLedger(ledger: EventTaker, observer: InstanceObserver): EventTaker {
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
          observer.retried(studyOf(id), event.of, event.for);
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
