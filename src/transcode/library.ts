/*
 * The codec library (dcmjs-dimse, whose decoders are WebAssembly in dcmjs-codecs), asked for one frame at a time.
 *
 * Only pixel attributes and one codestream are handed over, never the data set: given the whole, the library writes
 * every text again as UTF-8, drops private elements and reformats numbers. One frame a call also keeps its memory to the
 * size of a frame, and gets round its padding of every frame to an even length.
 */

import { EXPLICIT_VR_LE } from "../dicom/uid.ts";
import { CannotTranscode } from "./error.ts";

/** One frame as the library's decoders need it described. */
export interface LibraryFrame {
  /** Transfer syntax UID of the decoder to use. */
  readonly decoder: string;
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  /** Of the decoded samples: 8 or 16. */
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
  /** "RGB" has a JPEG decoded component by component; "YBR_FULL" has it converted to RGB. */
  readonly photometric: string;
  readonly codestream: Uint8Array;
}

/** Decodes one frame to samples in little endian order, interleaved by pixel unless the codestream is planar. */
export type LibraryDecoder = (frame: LibraryFrame) => Uint8Array;

/**
 * Loads the library and its WebAssembly module, which it finds beside its own script in the package; only read
 * permission is needed, from source and from a compiled program alike.
 */
export async function loadLibraryDecoder(): Promise<LibraryDecoder> {
  const { default: dimse } = await import("dcmjs-dimse");
  dimse.log.disableAll();
  await dimse.Transcoding.initializeAsync();
  return (frame) => {
    const elements = {
      Rows: frame.rows,
      Columns: frame.columns,
      NumberOfFrames: 1,
      SamplesPerPixel: frame.samples,
      BitsAllocated: frame.bitsAllocated,
      BitsStored: frame.bitsStored,
      HighBit: frame.bitsStored - 1,
      PixelRepresentation: frame.signed ? 1 : 0,
      PlanarConfiguration: 0,
      PhotometricInterpretation: frame.photometric,
      PixelData: [frame.codestream.slice().buffer],
    };
    const decoded = dimse.Transcoding.transcodeDataset(
      new dimse.Dataset(elements, frame.decoder),
      EXPLICIT_VR_LE,
    );
    const pixelData: unknown = decoded.getElements()["PixelData"];
    const bytes: unknown = Array.isArray(pixelData) ? pixelData[0] : pixelData;
    if (bytes instanceof Uint8Array) return bytes;
    if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
    throw new CannotTranscode("the decoder returned no pixels");
  };
}
