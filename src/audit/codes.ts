/*
 * The codes that audit messages are made of (PS3.15 A.5.3; PS3.16 CID 400 to 405).
 */

/** A coded value (PS3.15 A.5.1). */
export interface Code {
  readonly code: string;
  readonly system: string;
  readonly meaning: string;
}

function dcm(code: number, meaning: string): Code {
  return { code: String(code), system: "DCM", meaning };
}

/** CID 400: what kind of event. */
export const EVENT = {
  applicationActivity: dcm(110100, "Application Activity"),
  beginTransferring: dcm(110102, "Begin Transferring DICOM Instances"),
  instancesAccessed: dcm(110103, "DICOM Instances Accessed"),
  instancesTransferred: dcm(110104, "DICOM Instances Transferred"),
  export: dcm(110106, "Export"),
  securityAlert: dcm(110113, "Security Alert"),
  userAuthentication: dcm(110114, "User Authentication"),
} as const;

/** CID 401 to 403: which event of its kind. */
export const TYPE = {
  applicationStart: dcm(110120, "Application Start"),
  applicationStop: dcm(110121, "Application Stop"),
  login: dcm(110122, "Login"),
  logout: dcm(110123, "Logout"),
  nodeAuthentication: dcm(110126, "Node Authentication"),
  softwareConfiguration: dcm(110131, "Software Configuration"),
  restrictedFunction: dcm(110132, "Use of Restricted Function"),
  recordingStopped: dcm(110133, "Audit Recording Stopped"),
  recordingStarted: dcm(110134, "Audit Recording Started"),
  userSecurityAttributes: dcm(110137, "User security Attributes Changed"),
} as const;

/** CID 402: what part an active participant plays. */
export const ROLE = {
  application: dcm(110150, "Application"),
  destination: dcm(110152, "Destination Role ID"),
  source: dcm(110153, "Source Role ID"),
  destinationMedia: dcm(110154, "Destination Media"),
} as const;

/** CID 404 and PS3.15 A.5.1.2.4: what an object is named by. */
export const NAMED_BY = {
  study: dcm(110180, "Study Instance UID"),
  node: dcm(110182, "Node ID"),
  patient: { code: "2", system: "RFC-3881", meaning: "Patient Number" },
} as const;

/** CID 405 */
export const MEDIA_URI: Code = dcm(110037, "URI");
