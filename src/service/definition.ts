/*
 * What the service is called, and what it is made from. Nothing here does anything.
 */

/** The name that `sc`, nssm and the registry use. */
export const SERVICE_NAME = "DicomForwarder";
/** The name people see; the firewall rule has it too. */
export const DISPLAY_NAME = "DICOM Forwarder";
export const DESCRIPTION =
  "Receives DICOM images, keeps them on the disk and forwards them until they have arrived.";

/** The account with no rights but those given to this one service; it needs no password. */
export const OWN_ACCOUNT = `NT SERVICE\\${SERVICE_NAME}`;

/** Where the firewall lets senders in while there is no configuration that says it. */
export const USUAL_PORT = 11_112;

/** Exit codes after which starting again does not help: configuration, port, spool. */
export const FINAL_EXIT_CODES: readonly number[] = [2, 3, 4];

/** How much longer than the program's own time-out its manager waits before it ends it by force, in ms. */
export const STOP_MARGIN_MS = 10_000;

/** With the machine; some minutes after it, when it is less busy; by hand only. */
export type StartType = "auto" | "delayed" | "demand";

/** What a service needs to know of the configuration. */
export interface ServiceSettings {
  /** Those that senders reach: plain, with TLS, or both. */
  readonly ports: readonly number[];
  /** IP addresses and CIDR ranges that may send; empty = any. */
  readonly allowedHosts: readonly string[];
  /** In ms. */
  readonly stopMs: number;
  readonly logDir: string;
  /** Folders that nobody but the service and administrators has to see. */
  readonly privateFolders: readonly string[];
  /** Folders the service writes to beside whoever may already. */
  readonly sharedFolders: readonly string[];
}

/** A service to install. All paths are absolute. */
export interface ServiceDefinition {
  readonly program: string;
  readonly config: string;
  readonly settings: ServiceSettings;
  /** Undefined: as it is where the service exists already, else the usual. */
  readonly start: StartType | undefined;
  readonly account: string | undefined;
}

/** What the system says of the service. */
export interface ServiceState {
  readonly state:
    | "absent"
    | "stopped"
    | "starting"
    | "running"
    | "stopping"
    /** Ended by itself again and again; the service manager waits before it starts it once more. */
    | "waiting to restart";
  /** In the system's words; empty where it says nothing. */
  readonly startType: string;
  readonly account: string;
  /** Why it is stopped: the program's exit code; undefined where the system knows none. */
  readonly exitCode: number | undefined;
  /** The configuration that the service is started with; undefined where it cannot be read. */
  readonly config: string | undefined;
  /** The program that the service runs; undefined where it cannot be read. */
  readonly program: string | undefined;
}

/** Nothing can be done about the service; the message says what was tried, what came back and what to do. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
}

/** What an installation came to, in words. */
export interface InstallReport {
  /** The steps done, in words that follow "ok". */
  readonly done: readonly string[];
  /** What was left as it was, or could not be done, and does not keep the service from running: sentences. */
  readonly notes: readonly string[];
}

/** The system's service manager. Every method throws ServiceError. */
export interface ServiceManager {
  /** What it is called in sentences: "Windows service" or "systemd unit". */
  readonly kind: string;
  state(): Promise<ServiceState>;
  /** Registers it, or brings what is registered up to date. Starts nothing. */
  install(definition: ServiceDefinition): Promise<InstallReport>;
  /** Stops it and removes all that `install` registered; never data. False where there was none. */
  uninstall(signal: AbortSignal): Promise<boolean>;
  /** Returns when it runs. */
  start(signal: AbortSignal): Promise<void>;
  /** Returns when it has stopped. */
  stop(signal: AbortSignal): Promise<void>;
}
