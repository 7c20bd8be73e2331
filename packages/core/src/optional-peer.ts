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
 * Loads an optional peer. The import is passed in, so that it resolves from the package that declares the peer. A peer
 * that is installed
 * but fails to load throws its own error.
 *
 * @throws HebraError `PEER_MISSING` saying what to install.
 *
 * @example
 * ```ts
 * import { loadPeer } from "@hebra/core";
 *
 * const { randomUUID } = await loadPeer({ name: "crypto", range: "*", neededBy: "this example" }, () =>
 * import("node:crypto"));
 * console.log(randomUUID().length); // 36
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
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return false;
  // The importing file's path stands in the message too, and holds the peer's name when it is one of the peer's own
  // dependencies that is missing: only what could not be found counts.
  const wanted = /Cannot find (?:package|module) '([^']+)'/.exec(String(message))?.[1];
  return wanted === name || wanted?.startsWith(`${name}/`) === true;
}

function missing(peer: PeerRequest, cause: unknown): HebraError {
  return new HebraError(
    "PEER_MISSING",
    `${peer.neededBy} needs ${peer.name}. Install it: npm install "${peer.name}@${peer.range}"`,
    {
      cause,
      details: { peer: peer.name, range: peer.range, neededBy: peer.neededBy },
    },
  );
}
