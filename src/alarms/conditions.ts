/*
 * What is wrong now: from how the forwarder is to the conditions that a person should know of.
 *
 * Pure: a snapshot and the settings in, conditions out, one for each thing that is wrong. When a condition becomes an alarm,
 * and when the alarm is over, `machine.ts` decides. No text has patient data in it unless the configuration says so.
 */

import type { AlarmsConfig } from "../config/alarms.ts";
import { countedTime } from "./silence.ts";
import type { AlarmSnapshot } from "./snapshot.ts";
import { bytesText, counted, lengthText, reasonText, timeText } from "./words.ts";

/** Something that is wrong, or may still be. */
export interface Condition {
  /** What kind, and what it is about: `destination-down pacs`. */
  readonly key: string;
  readonly severity: "warning" | "critical";
  /** A few words: `pacs is down`. */
  readonly title: string;
  /** One sentence: what is, since when, what to do. */
  readonly text: string;
  /** Since when, in ms since 1970; null where that is not known. */
  readonly since: number | null;
  /** How long it has to last until it is an alarm, in ms. */
  readonly afterMs: number;
  /** How bad, among its kind: an alarm that gets worse is told again. */
  readonly level: number;
  /** True where it is not known to be so, nor to be over: it keeps an alarm up and begins none. */
  readonly doubtful: boolean;
}

type Destination = AlarmSnapshot["destinations"][number];

const DAY_MS = 86_400_000;

/** Who edits the configuration has so long until it is to be in force, in ms. */
const CONFIGURATION_MS = 300_000;

/** So long an audit message may wait, and so long it is told that some were dropped; ms. */
const AUDIT_WAIT_MS = 3_600_000;
const AUDIT_DROPPED_MS = DAY_MS;

/** Days before a certificate expires at which it is told, and told again. */
const CERTIFICATE_DAYS = [30, 7, 1] as const;

/** Everything that is wrong. */
export function conditionsOf(snapshot: AlarmSnapshot, config: AlarmsConfig): Condition[] {
  return [
    ...snapshot.destinations.flatMap((one) => destinationConditions(one, snapshot, config)),
    ...nowhereConditions(snapshot, config),
    ...diskConditions(snapshot),
    ...spoolConditions(snapshot),
    ...silentConditions(snapshot, config),
    ...certificateConditions(snapshot),
    ...auditConditions(snapshot),
  ];
}

function condition(
  key: string,
  severity: Condition["severity"],
  title: string,
  text: string,
  more: Partial<Condition> = {},
): Condition {
  const usual = { since: null, afterMs: 0, level: 0, doubtful: false };
  return { key, severity, title, text, ...usual, ...more };
}

function destinationConditions(
  one: Destination,
  snapshot: AlarmSnapshot,
  config: AlarmsConfig,
): Condition[] {
  return [
    ...reachConditions(one, config),
    ...ageConditions(one, snapshot.now, config),
    ...failedConditions(one, snapshot, config),
  ];
}

function reachConditions(one: Destination, config: AlarmsConfig): Condition[] {
  const { name, description, state, since, queued } = one;
  const keys = { down: `destination-down ${name}`, misconfigured: `misconfigured ${name}` };
  if (state === "paused") return [];
  if (state === "up") {
    // A start knows nothing of a destination until it has answered: what was wrong before is not over yet.
    if (one.lastAnswerAt !== null) return [];
    return Object.values(keys).map((key) =>
      condition(key, "critical", `${name} is down`, `Whether ${name} is up is not known yet.`, {
        doubtful: true,
      })
    );
  }
  const from = since === null ? "" : ` since ${timeText(since)}`;
  const said = reasonText(one.reason, config.patientData);
  const why = said === "" ? "" : ` (${said})`;
  const waiting = `${counted(queued, "image")} ${queued === 1 ? "waits" : "wait"}`;
  if (state === "down") {
    return [
      condition(
        keys.down,
        "critical",
        `${name} is down`,
        `Destination ${name} (${description}) has been down${from}${why} and ${waiting} for it: check that it runs ` +
          `and that the network lets us reach it; everything is sent by itself when it is back.`,
        { since, afterMs: config.destinationDownMs },
      ),
      // Which of the two it was before, it may still be behind.
      condition(keys.misconfigured, "critical", `${name} rejects us`, "", { doubtful: true }),
    ];
  }
  return [
    condition(
      keys.misconfigured,
      "critical",
      `${name} rejects us`,
      `Destination ${name} (${description}) has rejected us${from}${why} and ${waiting} for it: ${
        one.reason?.startsWith("TLS to ") === true
          ? "see to the certificates on both sides (tls of the destination)."
          : "make the AE titles and the address agree in its configuration and in ours."
      }`,
      { since },
    ),
  ];
}

function ageConditions(one: Destination, now: number, config: AlarmsConfig): Condition[] {
  const { name, oldest, queued, state } = one;
  if (config.oldestAgeMs === 0 || oldest === null || now - oldest <= config.oldestAgeMs) return [];
  const paused = state === "paused" ? " (it is paused)" : "";
  return [
    condition(
      `oldest ${name}`,
      "warning",
      `images wait long for ${name}`,
      `The oldest of ${counted(queued, "image")} that wait for ${name}${paused} came at ${
        timeText(oldest)
      }, ` +
        `${lengthText(now - oldest)} ago: look at the queue and at how ${name} is.`,
      { since: oldest + config.oldestAgeMs },
    ),
  ];
}

function failedConditions(
  one: Destination,
  snapshot: AlarmSnapshot,
  config: AlarmsConfig,
): Condition[] {
  const { name, failed } = one;
  if (!config.failed || failed === 0) return [];
  const reason = commonestReason(name, snapshot, config.patientData);
  const why = reason === "" ? "" : `, mostly because: ${reason}`;
  return [
    condition(
      `failed ${name}`,
      "warning",
      `${counted(failed, "image")} failed for ${name}`,
      `${
        counted(failed, "image")
      } could not be delivered to ${name}${why}: mend the cause, then put ` +
        `${failed === 1 ? "it" : "them"} back (dicomforwarder queue retry --destination ${name}).`,
      { level: failed },
    ),
  ];
}

/** What waits in `failed/` for no destination that there is. */
function nowhereConditions(snapshot: AlarmSnapshot, config: AlarmsConfig): Condition[] {
  const known = snapshot.destinations.reduce((sum, one) => sum + one.failed, 0);
  const count = snapshot.failed - known;
  if (!config.failed || count <= 0) return [];
  return [
    condition(
      "failed-nowhere",
      "warning",
      `${counted(count, "image")} without a destination`,
      `${counted(count, "image")} ${
        count === 1 ? "waits" : "wait"
      } in the folder failed of the spool because no route ` +
        `matches or the destination is not configured any more: mend routes and destinations, then put ` +
        `${count === 1 ? "it" : "them"} back (dicomforwarder queue retry).`,
      { level: count },
    ),
  ];
}

function commonestReason(name: string, { failures }: AlarmSnapshot, patientData: boolean): string {
  const counts = new Map<string, number>();
  for (const { destination, reason, count } of failures) {
    if (destination !== name) continue;
    const text = reasonText(reason, patientData);
    counts.set(text, (counts.get(text) ?? 0) + count);
  }
  let best = "";
  let most = 0;
  for (const [text, count] of counts) if (count > most) [best, most] = [text, count];
  return best;
}

function diskConditions({ disk }: AlarmSnapshot): Condition[] {
  const { free, reserve, refuses } = disk;
  const key = "disk-space";
  if (free !== null && free < reserve) {
    return [
      condition(
        key,
        "critical",
        "the disk is full",
        `Only ${bytesText(free)} are free where the spool is and minimum_free_space is ${
          bytesText(reserve)
        }, so ` +
          `no new images are accepted: free some space on that disk; forwarding goes on.`,
        { level: 2 },
      ),
    ];
  }
  const found: Condition[] = [];
  if (refuses !== null) {
    found.push(condition(
      "spool",
      "critical",
      "the spool takes no images",
      `No new images are accepted because ${
        reasonText(refuses, true)
      }: check the disk of the spool and replace it if it ` +
        `fails; reception resumes by itself when it works again.`,
    ));
  }
  if (free !== null && free < 2 * reserve) {
    found.push(condition(
      key,
      "warning",
      "the disk is nearly full",
      `Only ${bytesText(free)} are free where the spool is, and below ${
        bytesText(reserve)
      } no new images are accepted: ` +
        `free some space on that disk.`,
      { level: 1 },
    ));
  }
  return found;
}

function spoolConditions(snapshot: AlarmSnapshot): Condition[] {
  const { corrupt, missing, configuration } = snapshot;
  const found: Condition[] = [];
  if (corrupt > 0) {
    found.push(condition(
      "corrupt",
      "critical",
      `${counted(corrupt, "file")} damaged`,
      `${counted(corrupt, "file")} in the spool no longer ${
        corrupt === 1 ? "matches its" : "match their"
      } ` +
        `checksum and ${
          corrupt === 1 ? "was" : "were"
        } not sent: check the disk, have the images sent again, then ` +
        `empty the folder corrupt of the spool.`,
      { level: corrupt },
    ));
  }
  if (missing !== null && missing > 0) {
    found.push(condition(
      "missing",
      "critical",
      `${counted(missing, "image")} missing`,
      `${counted(missing, "image")} ${missing === 1 ? "was" : "were"} accepted and ${
        missing === 1 ? "is" : "are"
      } neither delivered nor in the spool: ` +
        `say dicomforwarder verify to see which, and have them sent again.`,
      { level: missing },
    ));
  }
  if (configuration !== null) {
    found.push(condition(
      "configuration",
      "warning",
      "the configuration file is not in force",
      `The configuration file is not what is in force (${reasonText(configuration, true)}): say ` +
        `dicomforwarder check, mend what it names, then reload the forwarder, or restart it where the reason says so.`,
      { afterMs: CONFIGURATION_MS },
    ));
  }
  return found;
}

function silentConditions({ now, seen }: AlarmSnapshot, config: AlarmsConfig): Condition[] {
  return config.silent.flatMap((one) => {
    const last = seen.find((each) => each.aeTitle === one.aeTitle);
    if (last === undefined) return [];
    if (countedTime(one, last.at, now, one.silenceMs) < one.silenceMs) return [];
    const since = last.heard
      ? `since ${timeText(last.at)}`
      : `since it has been waited for, from ${timeText(last.at)} on`;
    return [
      condition(
        `silent ${one.aeTitle}`,
        "warning",
        `nothing comes from ${one.aeTitle}`,
        `Nothing has come from ${one.aeTitle} ${since}, ${
          lengthText(one.silenceMs)
        } or more of its hours: ` +
          `check that it runs and still sends to us.`,
        { since: last.at },
      ),
    ];
  });
}

function certificateConditions({ now, certificates }: AlarmSnapshot): Condition[] {
  return certificates.flatMap(({ name, expires }) => {
    const level = CERTIFICATE_DAYS.filter((days) => expires - now <= days * DAY_MS).length;
    if (level === 0) return [];
    const over = expires <= now;
    const when = over
      ? `expired at ${timeText(expires)}`
      : `expires at ${timeText(expires)}, in ${lengthText(expires - now)}`;
    return [
      condition(
        `certificate ${name}`,
        level === CERTIFICATE_DAYS.length ? "critical" : "warning",
        `the certificate ${name} ${over ? "has expired" : "expires"}`,
        `The certificate ${name} ${when}: have it renewed and put the new one in its place.`,
        { level: over ? level + 1 : level },
      ),
    ];
  });
}

function auditConditions({ now, audit }: AlarmSnapshot): Condition[] {
  if (audit === undefined) return [];
  const { oldest, dropped, droppedAt, trouble } = audit;
  const found: Condition[] = [];
  if (oldest !== null && now - oldest > AUDIT_WAIT_MS) {
    const why = trouble === null ? "" : ` (${reasonText(trouble, true)})`;
    found.push(condition(
      "audit",
      "warning",
      "audit messages wait",
      `Audit messages have waited for their server since ${
        timeText(oldest)
      }${why}: check that it runs and that ` +
        `audit in the configuration names it; images are forwarded all the same.`,
      { since: oldest + AUDIT_WAIT_MS },
    ));
  }
  if (dropped > 0 && droppedAt !== null && now - droppedAt < AUDIT_DROPPED_MS) {
    found.push(condition(
      "audit-dropped",
      "critical",
      "audit messages are lost",
      `${counted(dropped, "audit message")} had to be dropped, last at ${
        timeText(droppedAt)
      }, because more waited than ` +
        `audit.keep allows: get the audit server back, or raise audit.keep.`,
      { since: droppedAt },
    ));
  }
  return found;
}
