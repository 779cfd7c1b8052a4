/*
 * What the program's exit codes mean. Scripts and service managers rely on them: they never change their meaning.
 */

export const ExitCode = {
  /** Done; for the daemon: stopped in order. */
  Ok: 0,
  /** Something failed: the message says what. */
  Failed: 1,
  /** The command line or the configuration is wrong; starting again will not help. */
  Usage: 2,
  /** The port to listen on cannot be had. */
  PortInUse: 3,
  /** The spool cannot be used: in use by another forwarder, of another version, or on a disk that does not work. */
  Spool: 4,
} as const;

export type ExitCode = typeof ExitCode[keyof typeof ExitCode];
