import type { HebraError } from "@hebra/core";

/** How one provider stands. */
export interface LayerStatus {
  readonly name: string;
  readonly ready: boolean;
  /** Since when the source is out of reach, in milliseconds since the epoch. */
  readonly staleSince: number | undefined;
  readonly error: HebraError | undefined;
}

/** What `subscribe` tells. */
export type FlagsEvent =
  /** Other flags are in force. */
  | { readonly type: "flags-changed"; readonly keys: readonly string[] }
  /** A provider's source is out of reach; the last known good stays in force. */
  | { readonly type: "provider-staled"; readonly provider: string; readonly error: HebraError }
  | { readonly type: "provider-recovered"; readonly provider: string }
  /** A provider offered something that was not taken. */
  | { readonly type: "flags-rejected"; readonly provider: string; readonly error: HebraError };

/** How the flags stand. */
export interface FlagsStatus {
  /** Whether every provider has loaded once. Until then all decisions are legacy. */
  readonly ready: boolean;
  /** Whether a provider is out of reach of its source, or was too long. */
  readonly stale: boolean;
  readonly providers: readonly LayerStatus[];
}
