/*
 * The test files that python3-pydicom carries: many vendors, transfer syntaxes and oddities.
 */

import { factsOf, type FileFacts } from "./hashes.ts";
import { PYDICOM_FILES } from "./required_peers.ts";
import { filesIn } from "./scratch.ts";

/**
 * How storescu is told to propose a transfer syntax. It has no word for JPEG Lossless with other predictors (.57).
 */
const PROPOSE: ReadonlyMap<string, string> = new Map([
  ["1.2.840.10008.1.2", "-xi"],
  ["1.2.840.10008.1.2.1", "-xe"],
  ["1.2.840.10008.1.2.1.99", "-xd"],
  ["1.2.840.10008.1.2.2", "-xb"],
  ["1.2.840.10008.1.2.4.50", "-xy"],
  ["1.2.840.10008.1.2.4.51", "-xx"],
  ["1.2.840.10008.1.2.4.70", "-xs"],
  ["1.2.840.10008.1.2.4.80", "-xt"],
  ["1.2.840.10008.1.2.4.81", "-xu"],
  ["1.2.840.10008.1.2.4.90", "-xv"],
  ["1.2.840.10008.1.2.4.91", "-xw"],
  ["1.2.840.10008.1.2.5", "-xr"],
]);

/** Media storage directories are no instances to send (PS3.10 §8). */
const MEDIA_DIRECTORY = "1.2.840.10008.1.3.10";

/** Every Part 10 file among them that is an instance. */
export function pydicomFiles(): FileFacts[] {
  const found: FileFacts[] = [];
  for (const path of filesIn(PYDICOM_FILES)) {
    let facts: FileFacts;
    try {
      facts = factsOf(path);
    } catch {
      // Some are there to show what is no Part 10 file.
      continue;
    }
    if (facts.sopClassUid !== MEDIA_DIRECTORY) found.push(facts);
  }
  return found;
}

/** Files that storescu can send as they are, by the option that makes it. */
export function byProposal(files: readonly FileFacts[]): Map<string, FileFacts[]> {
  const groups = new Map<string, FileFacts[]>();
  for (const file of files) {
    const option = PROPOSE.get(file.transferSyntaxUid);
    if (option !== undefined) groups.set(option, [...groups.get(option) ?? [], file]);
  }
  return groups;
}
