import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { LegacyGroup } from "./reader.ts";
import type { MappedGroup } from "./legacy-store.ts";

// The mapping is the migration kit's, which no package of the engine may import: a test takes it as a host would pass
// it in.
const kit = pathToFileURL(join(import.meta.dirname, "../../../../migrate/src/index.ts")).href;

/** `storyBundle` of the migration kit. */
export async function migrationMapping(): Promise<(group: LegacyGroup) => MappedGroup> {
  const { storyBundle } = (await import(/* @vite-ignore */ kit)) as {
    storyBundle: (group: LegacyGroup) => MappedGroup;
  };
  return storyBundle;
}
