/*
 * PS3.8 Table 9-10 transcribed from print: one line an event, one column a state; and what follows each action.
 */

import type { Event } from "../../src/ul/state.ts";

/** Rows as printed: event, then Sta1 to Sta13; a dot where the table is empty. */
const PRINTED = `
A-ASSOCIATE request primitive   AE-1 .    .    .    .    .    .    .    .    .    .    .    .
Transport connect confirmation  .    .    .    AE-2 .    .    .    .    .    .    .    .    .
A-ASSOCIATE-AC PDU              .    AA-1 AA-8 .    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
A-ASSOCIATE-RJ PDU              .    AA-1 AA-8 .    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
Transport connect indication    AE-5 .    .    .    .    .    .    .    .    .    .    .    .
A-ASSOCIATE-RQ PDU              .    AE-6 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7
A-ASSOCIATE response (accept)   .    .    AE-7 .    .    .    .    .    .    .    .    .    .
A-ASSOCIATE response (reject)   .    .    AE-8 .    .    .    .    .    .    .    .    .    .
P-DATA request primitive        .    .    .    .    .    DT-1 .    AR-7 .    .    .    .    .
P-DATA-TF PDU                   .    AA-1 AA-8 .    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
A-RELEASE request primitive     .    .    .    .    .    AR-1 .    .    .    .    .    .    .
A-RELEASE-RQ PDU                .    AA-1 AA-8 .    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
A-RELEASE-RP PDU                .    AA-1 AA-8 .    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6
A-RELEASE response primitive    .    .    .    .    .    .    .    AR-4 AR-9 .    .    AR-4 .
A-ABORT request primitive       .    .    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 .
A-ABORT PDU                     .    AA-2 AA-3 .    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-2
Transport connection closed     .    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AR-5
ARTIM timer expired             .    AA-2 .    .    .    .    .    .    .    .    .    .    AA-2
Unrecognized or invalid PDU     .    AA-1 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7
`;

/** The rows' events, in order. */
export const ORDER: readonly Event[] = [
  "associate-request-primitive",
  "transport-confirmed",
  "associate-accept-pdu",
  "associate-reject-pdu",
  "transport-indication",
  "associate-request-pdu",
  "accept-primitive",
  "reject-primitive",
  "data-primitive",
  "data-pdu",
  "release-request-primitive",
  "release-request-pdu",
  "release-response-pdu",
  "release-response-primitive",
  "abort-primitive",
  "abort-pdu",
  "transport-closed",
  "artim-expired",
  "invalid-pdu",
];

/** "Next state" of PS3.8 Tables 9-6 to 9-9; where it depends on the role, requestor and acceptor. */
export const NEXT: Readonly<Record<string, number | readonly [number, number]>> = {
  "AE-1": 4,
  "AE-2": 5,
  "AE-3": 6,
  "AE-4": 1,
  "AE-5": 2,
  "AE-6": 3,
  "AE-7": 6,
  "AE-8": 13,
  "DT-1": 6,
  "DT-2": 6,
  "AR-1": 7,
  "AR-2": 8,
  "AR-3": 1,
  "AR-4": 13,
  "AR-5": 1,
  "AR-6": 7,
  "AR-7": 8,
  "AR-8": [9, 10],
  "AR-9": 11,
  "AR-10": 12,
  "AA-1": 13,
  "AA-2": 1,
  "AA-3": 1,
  "AA-4": 1,
  "AA-5": 1,
  "AA-6": 13,
  "AA-7": 13,
  "AA-8": 13,
};

/** The table's cells by row and column; a dot where it is empty. */
export const CELLS: readonly (readonly string[])[] = PRINTED.trim().split("\n").map((line) =>
  line.slice(32).trim().split(/\s+/)
);

/** The action printed for an event in a state, undefined where the table is empty. */
export function printedAction(event: Event, state: number): string | undefined {
  const cell = CELLS[ORDER.indexOf(event)]![state - 1]!;
  return cell === "." ? undefined : cell;
}
