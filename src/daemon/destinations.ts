/*
 * From a destination's settings to the destination.
 */

import type { DeliveryObserver } from "../activity/observer.ts";
import type { Clock } from "../clock.ts";
import type { Config, DestinationConfig } from "../config/load.ts";
import type { AuditTrail } from "./audit.ts";
import { DicomDestination } from "../delivery/dicom.ts";
import { DirectoryDestination } from "../delivery/directory.ts";
import { observedDestination } from "../delivery/observed_destination.ts";
import type { Destination } from "../delivery/outcome.ts";
import type { FileSystem } from "../spool/file_system.ts";
import type { Spool } from "../spool/spool.ts";
import type { Transcoder } from "../transcode/transcoder.ts";

export interface DestinationParts {
  readonly spool: Spool;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly transcoder: Transcoder;
  /** Told of every attempt. */
  readonly observer?: DeliveryObserver;
  /** Tells the audit trail. */
  readonly audit?: Pick<AuditTrail, "destination">;
}

/** A destination as its settings say; nothing is opened. */
export function destinationOf(
  settings: DestinationConfig,
  { logPatientInfo }: Pick<Config, "logPatientInfo">,
  { spool, files, clock, transcoder, observer, audit }: DestinationParts,
): Destination {
  const destination = settings.type === "dicom"
    ? new DicomDestination(settings, spool, transcoder, {
      now: () => clock.now(),
      tellComments: logPatientInfo,
    })
    : new DirectoryDestination(settings, spool, files, { tellPaths: logPatientInfo });
  const audited = audit === undefined ? destination : audit.destination(destination);
  return observer === undefined ? audited : observedDestination(audited, observer);
}
