import type { FlagDocument, FlagOverride, Kill } from "./types.ts";

/** What a provider knows at one instant. Replaced as a whole, never changed in place. */
export interface ProviderSnapshot {
  readonly document: FlagDocument;
  /** Flags of the source that cannot be used, with the reason: the last good entry of each stays in force. */
  readonly rejected?: Readonly<Record<string, string>>;
  /** What this layer changes of flags of any layer, by flag key. */
  readonly overrides?: Readonly<Record<string, FlagOverride>>;
  /** The same by {@link environmentName}: environment variables cannot spell every key. */
  readonly environmentOverrides?: Readonly<Record<string, FlagOverride>>;
  /** Kills every flag. */
  readonly killAll?: Kill;
}

/** The name under which an environment variable speaks of a flag: `engine-v2` → `ENGINE_V2`. */
export function environmentName(key: string): string {
  return key.toUpperCase().replace(/[^A-Z0-9]/g, "_");
}
