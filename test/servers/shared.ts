import { existsSync } from "node:fs";
import { join } from "node:path";

/** Published suites and data that are too large, or not ours, to be part of the repository. */
const folder = process.env["HEBRA_SHARED"] ?? join(import.meta.dirname, "../../../shared");

/** A file or folder beside the repository. */
export interface Shared {
  readonly path: string;
  readonly present: boolean;
}

/**
 * Finds something in `../shared`, or in the folder that `HEBRA_SHARED` names. Tests that are skipped without it say in
 * their title that they need `../shared/…`, which lets the run count them.
 *
 * @param name - relative to the folder
 * @throws Error when it is absent and `HEBRA_REQUIRE_SHARED` is 1
 */
export function shared(name: string): Shared {
  const path = join(folder, name);
  const present = existsSync(path);
  if (!present && process.env["HEBRA_REQUIRE_SHARED"] === "1")
    throw new Error(
      `There is no ${path}, and HEBRA_REQUIRE_SHARED=1 asks for it. Set HEBRA_SHARED to the folder that holds ${name}, or unset HEBRA_REQUIRE_SHARED to skip what needs it.`,
    );
  return { path, present };
}
