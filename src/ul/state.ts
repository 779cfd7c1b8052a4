/*
 * The upper layer's state machine (PS3.8 §9.2) as data: Table 9-10, and what each action does and leads to
 * (Tables 9-6 to 9-9).
 *
 * Owns the table; `association.ts` does what it says. An empty cell of the table is undefined here: such a pair cannot
 * come about, and the caller treats it as a defect of its own, never as a default.
 */

import { PduType } from "./pdu.ts";

/** Sta1 to Sta13, PS3.8 §9.2.2 (Tables 9-1 to 9-5). */
export type State = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13;

/** The events of PS3.8 Table 9-10, in its order. */
export type Event =
  | "associate-request-primitive"
  | "transport-confirmed"
  | "associate-accept-pdu"
  | "associate-reject-pdu"
  | "transport-indication"
  | "associate-request-pdu"
  | "accept-primitive"
  | "reject-primitive"
  | "data-primitive"
  | "data-pdu"
  | "release-request-primitive"
  | "release-request-pdu"
  | "release-response-pdu"
  | "release-response-primitive"
  | "abort-primitive"
  | "abort-pdu"
  | "transport-closed"
  | "artim-expired"
  | "invalid-pdu";

const PDU_EVENTS: Readonly<Record<typeof PduType[keyof typeof PduType], Event>> = {
  [PduType.AssociateRequest]: "associate-request-pdu",
  [PduType.AssociateAccept]: "associate-accept-pdu",
  [PduType.AssociateReject]: "associate-reject-pdu",
  [PduType.Data]: "data-pdu",
  [PduType.ReleaseRequest]: "release-request-pdu",
  [PduType.ReleaseResponse]: "release-response-pdu",
  [PduType.Abort]: "abort-pdu",
};

/** The event that a PDU of this type is. */
export function eventOf(pduType: typeof PduType[keyof typeof PduType]): Event {
  return PDU_EVENTS[pduType];
}

/** Action names as in PS3.8 Tables 9-6 to 9-9. */
export type Action =
  | "AE-1"
  | "AE-2"
  | "AE-3"
  | "AE-4"
  | "AE-5"
  | "AE-6"
  | "AE-7"
  | "AE-8"
  | "DT-1"
  | "DT-2"
  | "AR-1"
  | "AR-2"
  | "AR-3"
  | "AR-4"
  | "AR-5"
  | "AR-6"
  | "AR-7"
  | "AR-8"
  | "AR-9"
  | "AR-10"
  | "AA-1"
  | "AA-2"
  | "AA-3"
  | "AA-4"
  | "AA-5"
  | "AA-6"
  | "AA-7"
  | "AA-8";

type Row = Readonly<Partial<Record<State, Action>>>;

/** Sta9 to Sta12: all of them a release collision, so most rows treat them alike. */
function collision(action: Action): Row {
  return { 9: action, 10: action, 11: action, 12: action };
}

/** PS3.8 Table 9-10. */
const TABLE: Readonly<Record<Event, Row>> = {
  "associate-request-primitive": { 1: "AE-1" },
  "transport-confirmed": { 4: "AE-2" },
  "associate-accept-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AE-3",
    6: "AA-8",
    7: "AA-8",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-6",
  },
  "associate-reject-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AE-4",
    6: "AA-8",
    7: "AA-8",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-6",
  },
  "transport-indication": { 1: "AE-5" },
  "associate-request-pdu": {
    2: "AE-6",
    3: "AA-8",
    5: "AA-8",
    6: "AA-8",
    7: "AA-8",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-7",
  },
  "accept-primitive": { 3: "AE-7" },
  "reject-primitive": { 3: "AE-8" },
  "data-primitive": { 6: "DT-1", 8: "AR-7" },
  "data-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AA-8",
    6: "DT-2",
    7: "AR-6",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-6",
  },
  "release-request-primitive": { 6: "AR-1" },
  "release-request-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AA-8",
    6: "AR-2",
    7: "AR-8",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-6",
  },
  "release-response-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AA-8",
    6: "AA-8",
    7: "AR-3",
    8: "AA-8",
    9: "AA-8",
    10: "AR-10",
    11: "AR-3",
    12: "AA-8",
    13: "AA-6",
  },
  "release-response-primitive": { 8: "AR-4", 9: "AR-9", 12: "AR-4" },
  "abort-primitive": {
    3: "AA-1",
    4: "AA-2",
    5: "AA-1",
    6: "AA-1",
    7: "AA-1",
    8: "AA-1",
    ...collision("AA-1"),
  },
  "abort-pdu": {
    2: "AA-2",
    3: "AA-3",
    5: "AA-3",
    6: "AA-3",
    7: "AA-3",
    8: "AA-3",
    ...collision("AA-3"),
    13: "AA-2",
  },
  "transport-closed": {
    2: "AA-5",
    3: "AA-4",
    4: "AA-4",
    5: "AA-4",
    6: "AA-4",
    7: "AA-4",
    8: "AA-4",
    ...collision("AA-4"),
    13: "AR-5",
  },
  "artim-expired": { 2: "AA-2", 13: "AA-2" },
  "invalid-pdu": {
    2: "AA-1",
    3: "AA-8",
    5: "AA-8",
    6: "AA-8",
    7: "AA-8",
    8: "AA-8",
    ...collision("AA-8"),
    13: "AA-7",
  },
};

/** The state that follows each action. AE-6 and AR-8 depend on more than the action: see `step`. */
const NEXT: Readonly<Record<Action, State>> = {
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
  "AR-8": 9,
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

/**
 * One cell of Table 9-10: what to do, and the state after it. Undefined where the standard leaves the cell empty.
 *
 * AE-6 is given its accepting branch; the provider's own rejection there (wrong protocol version) is the reject
 * primitive straight after it, which ends in the same state with the same PDU sent. A release collision (AR-8) leads the
 * requestor to Sta9 and the acceptor to Sta10.
 */
export function step(
  state: State,
  event: Event,
  role: "requestor" | "acceptor",
): { action: Action; next: State } | undefined {
  const action = TABLE[event][state];
  if (action === undefined) return undefined;
  const next = action === "AR-8" && role === "acceptor" ? 10 : NEXT[action];
  return { action, next };
}
