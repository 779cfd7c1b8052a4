/*
 * What NTFS, and Windows on top of it, do not take as a name.
 */

const DEVICE =
  /^(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) *(\.|$)/i;

/** Why a file or folder cannot have this name; undefined where it can. */
export function ntfsProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > 255) return `it has ${name.length} characters`;
  if (/[<>:"/\\|?*]/.test(name)) return "a character stands for something else";
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f]/.test(name)) return "it has a control character";
  if (/[. ]$/.test(name)) return "it ends with a dot or a blank";
  if (DEVICE.test(name)) return "it is a device";
  return undefined;
}
