import { createRequire } from "node:module";
import { HebraError } from "./errors.ts";

/** Which optional package is wanted, and by what. */
export interface PeerRequest {
  /** The package, e.g. `ioredis`. */
  name: string;
  /** The range to install, e.g. `^5.0.0 || ^6.0.0`. */
  range: string;
  /** The import that needs it, e.g. `@hebra/bus/redis`. */
  neededBy: string;
}

/**
 * Loads an optional peer. The import is passed in, so that it resolves from the package that declares the peer.
 *
 * @throws HebraError `PEER_MISSING` saying what to install.
 *
 * @example
 * ```ts
 * import { loadPeer } from "@hebra/core";
 *
 * const uuid = await loadPeer({ name: "uuid", range: "^14.0.0", neededBy: "this example" }, () => import("node:crypto"));
 * console.log(typeof uuid.randomUUID);
 * ```
 */
export async function loadPeer<T>(peer: PeerRequest, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (isMissing(error, peer.name)) throw missing(peer, error);
    throw error;
  }
}

/**
 * Checks, without loading it, that an optional peer is installed: for factories that are synchronous.
 *
 * @param from - `import.meta.url` of the package that declares the peer.
 * @throws HebraError `PEER_MISSING` saying what to install.
 */
export function assertPeer(peer: PeerRequest, from: string): void {
  try {
    createRequire(from).resolve(peer.name);
  } catch (error) {
    if (isMissing(error, peer.name)) throw missing(peer, error);
  }
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && String(message).includes(name);
}

function missing(peer: PeerRequest, cause: unknown): HebraError {
  return new HebraError("PEER_MISSING", `${peer.neededBy} needs ${peer.name}. Install it: npm install "${peer.name}@${peer.range}"`, {
    cause,
    details: { peer: peer.name, range: peer.range, neededBy: peer.neededBy },
  });
}
