/*
 * What the forwarder asks of a conversion, and what comes back: plain data, as it crosses to the worker and back.
 */

/** A stored instance and the transfer syntax it is wanted in. */
export interface TranscodeRequest {
  /** The Part 10 file. */
  readonly path: string;
  /** Where the data set begins in the file, in bytes. */
  readonly dataSetOffset: number;
  /** Length of the data set, in bytes. */
  readonly dataSetLength: number;
  /** CRC-32 of the data set as stored. */
  readonly crc32: number;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** Transfer syntax UID of the stored data set. */
  readonly from: string;
  /** Explicit VR Little Endian (1.2.840.10008.1.2.1) or Implicit VR Little Endian (1.2.840.10008.1.2). */
  readonly to: string;
}

/**
 * The data set without file meta; or one sentence for a technician why there is none; or the finding that the file does
 * not agree with its CRC-32.
 */
export type TranscodeResult =
  | { kind: "transcoded"; dataSet: Uint8Array }
  | { kind: "impossible"; reason: string }
  | { kind: "corrupt" };

/** What the main thread sends: the size limit first, then one job after the other. */
export type WorkerRequest = { kind: "start"; maxBytes: number } | {
  kind: "job";
  request: TranscodeRequest;
};
