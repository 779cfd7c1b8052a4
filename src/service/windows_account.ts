/*
 * Who may touch which folder, as arguments of icacls. Pure.
 *
 * Accounts of the system are named by their SID: their names are translated from one Windows to the next.
 */

/** LocalSystem and the administrators, whatever they are called here. */
const SYSTEM = "*S-1-5-18";
const ADMINISTRATORS = "*S-1-5-32-544";

/** To the folder, the folders in it and their files. */
const INHERITED = "(OI)(CI)";

/** `account` may read, write and delete; nobody else but administrators and the system sees anything. */
export function privateFolder(path: string, account: string | undefined): string[] {
  return closedFolder(path, account, "M");
}

/** `account` may read what is set here and change nothing: what serves the network must not rewrite its own orders. */
export function settingsFolder(path: string, account: string | undefined): string[] {
  return closedFolder(path, account, "RX");
}

function closedFolder(path: string, account: string | undefined, right: "M" | "RX"): string[] {
  return [
    path,
    "/inheritance:r",
    "/grant:r",
    `${SYSTEM}:${INHERITED}F`,
    `${ADMINISTRATORS}:${INHERITED}F`,
    ...(account === undefined ? [] : [`${account}:${INHERITED}${right}`]),
  ];
}

/** `account` may write there, beside all who may already. */
export function sharedFolder(path: string, account: string): string[] {
  return [path, "/grant", `${account}:${INHERITED}M`];
}

/** What icacls calls an account of the service manager's; undefined for the system's own, which has every right already. */
export function aclName(account: string): string | undefined {
  switch (account.toLowerCase().replace(/^\.\\|^nt authority\\/, "")) {
    case "localsystem":
    case "system":
      return undefined;
    case "localservice":
    case "local service":
      return "*S-1-5-19";
    case "networkservice":
    case "network service":
      return "*S-1-5-20";
    default:
      return account.replace(/^\.\\/, "");
  }
}
