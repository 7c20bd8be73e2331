import type { HebraError } from "@hebra/core";
import type { ProviderSnapshot } from "../evaluate/snapshot.ts";

export type { ProviderSnapshot } from "../evaluate/snapshot.ts";

/** What a provider tells while it is watched. */
export type ProviderEvent =
  /** There is something new. */
  | { readonly type: "snapshot-loaded"; readonly snapshot: ProviderSnapshot }
  /** The source gave something that is not a valid document; the last good one stays in force. */
  | { readonly type: "snapshot-rejected"; readonly error: HebraError }
  /** The source cannot be reached; the last good document stays in force and grows stale. */
  | { readonly type: "source-lost"; readonly error: HebraError }
  /** The source can be reached again, and what is in force is what it holds. */
  | { readonly type: "source-recovered" };

/**
 * Where flags come from. The contract, under `@hebra/flags/testing`, says what each method must do.
 */
export interface FlagProvider {
  /** For logs and status. */
  readonly name: string;
  /**
   * Reads the source. A provider that has its data at hand returns it at once, so that the flags are ready when
   * `createFlags` returns.
   *
   * @throws HebraError `FLAG_INVALID`, `PARSE_ERROR`, `UNREACHABLE`; `CLOSED` after `close`.
   */
  load(): ProviderSnapshot | Promise<ProviderSnapshot>;
  /**
   * Reports changes until stopped; also the first success after a failed `load`. Absent: the source never changes by
   * itself. @returns stops
   */
  watch?(listener: (event: ProviderEvent) => void): () => void;
  /** Lets go of everything: no timer, connection or file handle is left. May be called twice. */
  close(): Promise<void>;
}
