/*
 * What is told of which event: one function for each kind of audit message that is sent (PS3.15 A.5.3).
 *
 * Pure. Participants, objects and codes are those of the message's table in the standard; each function names it.
 */

import { EVENT, MEDIA_URI, NAMED_BY, ROLE, TYPE } from "./codes.ts";
import type { AuditMessage, AuditObject, AuditOutcome, Participant } from "./message.ts";

/** We, as a participant. */
export interface Ourselves {
  readonly aeTitle: string;
  readonly process: number;
  /** Host name or address, the same in all messages (PS3.15 A.5.2.4); "" where it is not known. */
  readonly host: string;
}

/** Whose study it is. Texts as people read them. */
export interface StudyFacts {
  readonly studyInstanceUid: string;
  readonly patientId: string;
  readonly patientName: string;
}

/** A node, or a folder, that instances came from or go to. */
export interface Place {
  /** AE titles of its side of the association; none where it is a folder. */
  readonly aeTitles: readonly string[];
  /** Host name or address; of a folder, its URI. */
  readonly address: string;
  readonly kind: "node" | "folder";
}

/** Instances of one study that had one thing happen to them. */
export interface Gathered {
  readonly deed:
    | "received"
    | "begun"
    | "sent"
    | "failed"
    | "retry"
    | "hold"
    | "release"
    | "remove"
    | "download";
  /** The other side; of what a person did, the destination it was for. */
  readonly place: Place;
  /** The person, where one did it. */
  readonly by: string;
  readonly facts: StudyFacts;
  readonly classes: Readonly<Record<string, number>>;
  readonly accessions: readonly string[];
  /** Of the first and of the last one; ms since 1970. */
  readonly first: number;
  readonly last: number;
  /** Why it failed, without patient data. */
  readonly reason: string;
}

/** Stands where a name is not to be told. */
const NOT_TOLD = "(not told)";

/** Stands where a value is not known, or the instance has none. */
const UNKNOWN = "(unknown)";

/** PS3.15 A.5.3.1 */
export function applicationActivity(
  what: "start" | "stop",
  us: Ourselves,
  at: number,
): AuditMessage {
  const type = what === "start" ? TYPE.applicationStart : TYPE.applicationStop;
  return message(EVENT.applicationActivity, "E", at, 0, {
    types: [type],
    participants: [{ ...ourselves(us, false), role: ROLE.application }],
  });
}

/** What became of instances, by what it was. */
export function instancesMessage(
  gathered: Gathered,
  us: Ourselves,
  patientData: boolean,
): AuditMessage {
  const { deed } = gathered;
  const objects = studyObjects(gathered, patientData);
  switch (deed) {
    case "received":
      return received(gathered, us, objects);
    case "begun":
      return begun(gathered, us, objects);
    case "sent":
    case "failed":
      return gathered.place.kind === "folder"
        ? exported(gathered, us, objects)
        : sent(gathered, us, objects);
    case "download":
      return exported(gathered, us, objects);
    default:
      return accessed(gathered, deed, us, objects);
  }
}

/**
 * PS3.15 A.5.3.7. We are the receiver, and do not look whether we had the instances before, for we keep none: "C".
 */
function received(gathered: Gathered, us: Ourselves, objects: AuditObject[]): AuditMessage {
  return message(EVENT.instancesTransferred, "C", gathered.last, 0, {
    participants: [
      { ...node(gathered.place, true), role: ROLE.source },
      { ...ourselves(us, false), role: ROLE.destination },
    ],
    objects,
  });
}

/** PS3.15 A.5.3.3 */
function begun(gathered: Gathered, us: Ourselves, objects: AuditObject[]): AuditMessage {
  return message(EVENT.beginTransferring, "E", gathered.first, 0, {
    participants: [
      { ...ourselves(us, true), role: ROLE.source },
      { ...node(gathered.place, false), role: ROLE.destination },
    ],
    objects,
  });
}

/** PS3.15 A.5.3.7: what is not the receiver, or cannot know what that had, says "R". */
function sent(gathered: Gathered, us: Ourselves, objects: AuditObject[]): AuditMessage {
  return message(EVENT.instancesTransferred, "R", gathered.last, outcomeOf(gathered), {
    description: gathered.reason,
    participants: [
      { ...ourselves(us, true), role: ROLE.source },
      { ...node(gathered.place, false), role: ROLE.destination },
    ],
    objects,
  });
}

/** PS3.15 A.5.3.5: a folder, or whoever takes a file out of the status page, is outside of what DICOM controls. */
function exported(gathered: Gathered, us: Ourselves, objects: AuditObject[]): AuditMessage {
  const { place, by } = gathered;
  const who = by === "" ? [] : [{ ...person(by, true), role: ROLE.destination }];
  return message(EVENT.export, "R", gathered.last, outcomeOf(gathered), {
    description: gathered.reason,
    participants: [
      ...who,
      { ...ourselves(us, by === ""), role: ROLE.source },
      {
        userId: place.address,
        requestor: false,
        role: ROLE.destinationMedia,
        media: MEDIA_URI,
      },
    ],
    objects,
  });
}

/** PS3.15 A.5.3.6: a person's doing. Only removal changes what there is; the others change when it is sent. */
function accessed(
  gathered: Gathered,
  deed: "retry" | "hold" | "release" | "remove",
  us: Ourselves,
  objects: AuditObject[],
): AuditMessage {
  const words = {
    retry: "Put back into the queue",
    hold: "Held back",
    release: "Released",
    remove: "Removed undelivered",
  }[deed];
  const to = gathered.place.aeTitles.join() || gathered.place.address;
  return message(EVENT.instancesAccessed, deed === "remove" ? "D" : "U", gathered.last, 0, {
    description: `${words}, for ${to}`,
    participants: [person(gathered.by, true), ourselves(us, false)],
    objects,
  });
}

function outcomeOf({ deed }: Gathered): AuditOutcome {
  return deed === "failed" ? 8 : 0;
}

/** Who was turned away, and why. */
export interface Rejection {
  readonly calling: string;
  readonly called: string;
  readonly host: string;
  readonly why: string;
  /** How often since the last message about it. */
  readonly times: number;
}

/** PS3.15 A.5.3.11, Node Authentication: an association, or a connection, that was rejected. */
export function nodeRejected(rejection: Rejection, us: Ourselves, at: number): AuditMessage {
  const { calling, called, host, why, times } = rejection;
  const name = calling === "" ? host : calling;
  return message(EVENT.securityAlert, "E", at, 4, {
    types: [TYPE.nodeAuthentication],
    description: `Rejected: ${why}`,
    participants: [
      ourselves(us, false),
      {
        userId: name === "" ? UNKNOWN : name,
        ...calling === "" ? {} : { aeTitles: [calling] },
        requestor: false,
        ...host === "" ? {} : { address: host },
      },
    ],
    objects: [{
      id: host === "" ? UNKNOWN : host,
      namedBy: NAMED_BY.node,
      name: name === "" ? UNKNOWN : name,
      type: 2,
      role: 13,
      details: [
        ["Alert Description", why],
        ["Called AE title", called],
        ["Times", String(times)],
      ],
    }],
  });
}

/** PS3.15 A.5.3.11: somebody changed how we work, or tried to. */
export function configurationChanged(
  change: {
    readonly by: string;
    readonly what: string;
    /** The whole program's, or one destination's way of working. */
    readonly kind: "configuration" | "function";
    readonly ok: boolean;
    readonly details?: readonly string[];
  },
  us: Ourselves,
  at: number,
): AuditMessage {
  const { by, what, kind, ok, details = [] } = change;
  return message(EVENT.securityAlert, "E", at, ok ? 0 : 4, {
    types: [kind === "configuration" ? TYPE.softwareConfiguration : TYPE.restrictedFunction],
    description: what,
    participants: [ourselves(us, false), person(by, false)],
    objects: [{
      id: us.aeTitle,
      namedBy: NAMED_BY.node,
      name: what,
      type: 2,
      role: 13,
      details: (details.length === 0 ? [what] : details.slice(0, 20))
        .map((text) => ["Alert Description", text] as const),
    }],
  });
}

/** PS3.15 A.5.3.11: recording begins, or ends, or messages were dropped, while the program goes on. */
export function recording(
  what: "started" | "stopped" | "dropped",
  details: string,
  us: Ourselves,
  at: number,
): AuditMessage {
  const isStart = what === "started";
  return message(EVENT.securityAlert, "E", at, isStart ? 0 : 4, {
    types: [isStart ? TYPE.recordingStarted : TYPE.recordingStopped],
    description: details,
    participants: [ourselves(us, true)],
    objects: [],
  });
}

/** PS3.15 A.5.3.12, at the status page. */
export function userAuthentication(
  what: "login" | "logout",
  peer: string,
  ok: boolean,
  us: Ourselves,
  at: number,
): AuditMessage {
  return message(EVENT.userAuthentication, "E", at, ok ? 0 : 4, {
    types: [what === "login" ? TYPE.login : TYPE.logout],
    description: ok ? undefined : "Wrong password",
    participants: [person(`web ${peer}`, true), ourselves(us, false)],
  });
}

/** PS3.15 A.5.3.11: too many wrong passwords, and nobody is let in from there for a while. */
export function lockedOut(
  peer: string,
  seconds: number,
  us: Ourselves,
  at: number,
): AuditMessage {
  return message(EVENT.securityAlert, "E", at, 8, {
    types: [TYPE.userSecurityAttributes],
    description: `Locked out for ${seconds} s after wrong passwords`,
    participants: [ourselves(us, false), person(`web ${peer}`, false)],
    objects: [{
      id: peer,
      namedBy: NAMED_BY.node,
      name: peer,
      type: 2,
      role: 13,
      details: [["Alert Description", `Too many wrong passwords at the status page`]],
    }],
  });
}

function message(
  id: AuditMessage["event"]["id"],
  action: AuditMessage["event"]["action"],
  at: number,
  outcome: AuditOutcome,
  { types = [], description, participants, objects = [] }: {
    readonly types?: AuditMessage["event"]["types"];
    readonly description?: string | undefined;
    readonly participants: readonly Participant[];
    readonly objects?: readonly AuditObject[];
  },
): AuditMessage {
  const said = description === "" ? undefined : description;
  return {
    event: { id, types, action, at, outcome, description: said },
    participants,
    objects,
  };
}

function ourselves({ aeTitle, process, host }: Ourselves, requestor: boolean): Participant {
  return {
    userId: String(process),
    aeTitles: [aeTitle],
    userName: "DICOM Forwarder",
    requestor,
    ...host === "" ? {} : { address: host },
  };
}

function node({ aeTitles, address }: Place, requestor: boolean): Participant {
  return {
    userId: aeTitles[0] ?? (address === "" ? UNKNOWN : address),
    aeTitles,
    requestor,
    ...address === "" ? {} : { address },
  };
}

/** `web 10.0.0.5` is a person at that address; `cli` one at this machine. */
function person(by: string, requestor: boolean): Participant {
  const address = /^web ([^]+)$/.exec(by)?.[1];
  return {
    userId: by === "" ? UNKNOWN : by,
    requestor,
    ...address === undefined ? {} : { address },
  };
}

function studyObjects(gathered: Gathered, patientData: boolean): AuditObject[] {
  const { studyInstanceUid, patientId, patientName } = gathered.facts;
  const { classes, accessions } = gathered;
  return [
    {
      id: studyInstanceUid || UNKNOWN,
      namedBy: NAMED_BY.study,
      name: "DICOM Study",
      type: 2,
      role: 3,
      content: { classes, accessions },
    },
    {
      id: patientId || UNKNOWN,
      namedBy: NAMED_BY.patient,
      name: patientData ? patientName || UNKNOWN : NOT_TOLD,
      type: 1,
      role: 1,
    },
  ];
}
