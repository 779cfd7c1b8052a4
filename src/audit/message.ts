/*
 * One audit message: its parts, and its XML by the schema of PS3.15 A.5.1.
 *
 * Pure. Order of elements and which of them there must be are the schema's; what they say is decided in `events.ts`.
 */

import type { Code } from "./codes.ts";
import { element, escapeXml } from "./xml.ts";

/** 0 success, 4 minor, 8 serious, 12 major failure (PS3.15 A.5.2). */
export type AuditOutcome = 0 | 4 | 8 | 12;

/** Somebody or something that took part. */
export interface Participant {
  readonly userId: string;
  readonly aeTitles?: readonly string[];
  readonly userName?: string;
  readonly requestor: boolean;
  readonly role?: Code;
  /** Host name or IP address. */
  readonly address?: string | undefined;
  readonly media?: Code;
}

/** What of a study took part: how many instances of each SOP class; those of an unknown class by the key "". */
export interface StudyContent {
  readonly classes: Readonly<Record<string, number>>;
  readonly accessions: readonly string[];
}

/** Something that was dealt with. */
export interface AuditObject {
  readonly id: string;
  readonly namedBy: Code;
  /** The schema has a name in each: for people. */
  readonly name: string;
  /** 1 person, 2 system object. */
  readonly type: 1 | 2;
  /** PS3.15 A.5.1.2.2: 1 patient, 3 report, 13 security resource. */
  readonly role: 1 | 3 | 13;
  /** Pairs of a type and a text. */
  readonly details?: readonly (readonly [string, string])[];
  readonly content?: StudyContent;
}

export interface AuditMessage {
  readonly event: {
    readonly id: Code;
    readonly types: readonly Code[];
    readonly action: "C" | "R" | "U" | "D" | "E";
    /** ms since 1970 */
    readonly at: number;
    readonly outcome: AuditOutcome;
    /** In words. */
    readonly description?: string | undefined;
  };
  readonly participants: readonly Participant[];
  readonly objects: readonly AuditObject[];
}

/** Who reports. */
export interface AuditSource {
  readonly site: string;
  readonly enterpriseSiteId: string | null;
}

/** Application server process (PS3.15 A.5.1.2.1). */
const SOURCE_TYPE = "4";

/** The XML of a message, on one line. */
export function auditXml({ event, participants, objects }: AuditMessage, source: AuditSource) {
  const body = element("AuditMessage", {}, [
    element("EventIdentification", {
      EventActionCode: event.action,
      EventDateTime: new Date(event.at).toISOString(),
      EventOutcomeIndicator: event.outcome,
    }, [
      coded("EventID", event.id),
      ...event.types.map((type) => coded("EventTypeCode", type)),
      ...event.description === undefined
        ? []
        : [element("EventOutcomeDescription", {}, [escapeXml(event.description)])],
    ]),
    ...participants.map(participantXml),
    element("AuditSourceIdentification", {
      AuditEnterpriseSiteID: source.enterpriseSiteId,
      AuditSourceID: source.site,
    }, [element("AuditSourceTypeCode", { "csd-code": SOURCE_TYPE })]),
    ...objects.map(objectXml),
  ]);
  return `<?xml version="1.0" encoding="UTF-8"?>${body}`;
}

function coded(name: string, { code, system, meaning }: Code): string {
  return element(name, { "csd-code": code, codeSystemName: system, originalText: meaning });
}

function participantXml(one: Participant): string {
  const { address, aeTitles, role, media } = one;
  return element("ActiveParticipant", {
    UserID: one.userId,
    // PS3.15 A.5.2.2
    AlternativeUserID: aeTitles === undefined ? undefined : `AETITLES=${aeTitles.join(";")}`,
    UserName: one.userName,
    UserIsRequestor: one.requestor,
    NetworkAccessPointID: address,
    NetworkAccessPointTypeCode: address === undefined ? undefined : isAddress(address) ? 2 : 1,
  }, [
    ...role === undefined ? [] : [coded("RoleIDCode", role)],
    ...media === undefined ? [] : [element("MediaIdentifier", {}, [coded("MediaType", media)])],
  ]);
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^[0-9.]+$/.test(host);
}

function objectXml(one: AuditObject): string {
  return element("ParticipantObjectIdentification", {
    ParticipantObjectID: one.id,
    ParticipantObjectTypeCode: one.type,
    ParticipantObjectTypeCodeRole: one.role,
  }, [
    coded("ParticipantObjectIDTypeCode", one.namedBy),
    element("ParticipantObjectName", {}, [escapeXml(one.name)]),
    ...(one.details ?? []).map(([type, value]) =>
      element("ParticipantObjectDetail", { type, value: base64(value) })
    ),
    ...one.content === undefined ? [] : [contentXml(one.content)],
  ]);
}

function contentXml({ classes, accessions }: StudyContent): string {
  return element("ParticipantObjectDescription", {}, [
    ...accessions.map((number) => element("Accession", { Number: number })),
    ...Object.entries(classes).map(([uid, count]) =>
      element("SOPClass", { UID: uid === "" ? undefined : uid, NumberOfInstances: count })
    ),
  ]);
}

/** Short enough to be whole in an attribute: base64 that is cut short is none. */
function base64(text: string): string {
  const bytes = new TextEncoder().encode(Array.from(text.toWellFormed()).slice(0, 200).join(""));
  return btoa(String.fromCharCode(...bytes.subarray(0, 240)));
}
