import { createHash } from "node:crypto";
import { errorMessage, HebraError, type JsonValue } from "@hebra/core";
import { bundleCounts, bundleDigest, currentBundle } from "./bundle.ts";
import type { ContextBundle, ThreadStore } from "./store.ts";

/** The version of the file format. */
const FORMAT = 1;

/** A place in an export: the last context that is done. */
export interface TransferCursor {
  tenant: string;
  contextId: string;
}

/** What was carried over. */
export interface TransferReport {
  contexts: number;
  /** Contexts that were there already, row for row. Only an import has some. */
  unchanged: number;
  /** Rows by table. */
  counts: Record<string, number>;
  /** SHA-256 over tenant, id and digest of every context, in order. */
  digest: string;
}

type Line =
  | { hebra: "threads"; v: number }
  | { tenant: string; digest: string; bundle: ContextBundle }
  | { end: { contexts: number; counts: Record<string, number>; digest: string } };

/** Counts and digests contexts as they pass. */
function createTally() {
  const hash = createHash("sha256");
  const counts: Record<string, number> = {};
  let contexts = 0;
  return {
    add(tenant: string, bundle: ContextBundle, digest: string): void {
      contexts += 1;
      for (const [table, count] of Object.entries(bundleCounts(bundle))) counts[table] = (counts[table] ?? 0) + count;
      hash.update(`${JSON.stringify([tenant, bundle.context.id, digest])}\n`);
    },
    end: () => ({ contexts, counts: { ...counts }, digest: hash.copy().digest("hex") }),
  };
}

/**
 * Every context of a store as lines of JSON, without the line ends: a header, one line a context, and a last line with
 * counts and a digest of the whole. One context is in memory at a time.
 *
 * @param options.tenant - only this tenant's. @defaultValue all tenants
 * @param options.after - goes on after a context, in a file of its own
 *
 * @example
 * ```ts
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import { exportJsonLines, type ThreadStore } from "@hebra/thread";
 *
 * export async function backup(store: ThreadStore, path: string): Promise<void> {
 *   await pipeline(
 *     exportJsonLines(store),
 *     async function* (lines: AsyncIterable<string>) {
 *       for await (const line of lines) yield `${line}\n`;
 *     },
 *     createWriteStream(path),
 *   );
 * }
 * ```
 */
export async function* exportJsonLines(
  store: ThreadStore,
  options: { tenant?: string; after?: TransferCursor } = {},
): AsyncGenerator<string> {
  const tally = createTally();
  yield JSON.stringify({ hebra: "threads", v: FORMAT } satisfies Line);
  for await (const { tenant, bundle } of store.system().export(options)) {
    const digest = bundleDigest(bundle);
    tally.add(tenant, bundle, digest);
    yield JSON.stringify({ tenant, digest, bundle } satisfies Line);
  }
  yield JSON.stringify({ end: tally.end() } satisfies Line);
}

/** How {@link importJsonLines} works. */
export interface ImportJsonLinesOptions {
  /** Skips contexts up to and including this one: where an import that broke off had come to. */
  after?: TransferCursor;
  /** Reads every context back and compares its digest. @defaultValue true */
  verify?: boolean;
  /** Told after each context. */
  onContext?: (done: TransferCursor & { changed: boolean }) => void;
}

/**
 * Writes the lines of {@link exportJsonLines} into a store, each context in one transaction. It can be repeated, and a
 * repetition changes nothing. Each context is checked against its digest before it is written and after, and the whole
 * against the last line.
 *
 * @throws HebraError `DIGEST_MISMATCH` when a line is damaged, the file is cut off, or what was read back differs;
 * `SCHEMA_TOO_NEW` for a file of a newer format; and whatever `import` of the store throws.
 *
 * @example
 * ```ts
 * import { createReadStream } from "node:fs";
 * import { createInterface } from "node:readline";
 * import { importJsonLines, type ThreadStore } from "@hebra/thread";
 *
 * export async function restore(store: ThreadStore, path: string): Promise<number> {
 *   const { contexts } = await importJsonLines(store, createInterface({ input: createReadStream(path) }));
 *   return contexts;
 * }
 * ```
 */
export async function importJsonLines(
  store: ThreadStore,
  lines: AsyncIterable<string> | Iterable<string>,
  options: ImportJsonLinesOptions = {},
): Promise<TransferReport> {
  const { after, verify = true, onContext } = options;
  const tally = createTally();
  let skipping = after !== undefined;
  let unchanged = 0;
  let number = 0;
  let end: TransferReport | undefined;
  for await (const text of lines) {
    number += 1;
    if (text.trim() === "") continue;
    if (end !== undefined) throw mismatch(`Line ${number} comes after the end.`, { line: number });
    const line = parse(text, number);
    if ("hebra" in line) continue;
    if ("end" in line) {
      end = finish(tally.end(), line.end, unchanged);
      continue;
    }
    const { tenant, bundle } = line;
    const at = { tenant, contextId: bundle.context.id };
    if (bundleDigest(bundle) !== line.digest)
      throw mismatch(`Line ${number} does not match its digest: the context ${at.contextId} is damaged.`, {
        line: number,
        ...at,
      });
    tally.add(tenant, bundle, line.digest);
    if (skipping) {
      skipping = !(tenant === after!.tenant && at.contextId === after!.contextId);
      unchanged += 1;
      continue;
    }
    const changed = await importOne(store, tenant, currentBundle(bundle), verify);
    if (!changed) unchanged += 1;
    onContext?.({ ...at, changed });
  }
  if (end === undefined)
    throw mismatch("The lines end before their last one: the file was cut off.", { lines: number });
  return end;
}

async function importOne(store: ThreadStore, tenant: string, bundle: ContextBundle, verify: boolean): Promise<boolean> {
  const done = await store.import(tenant, bundle);
  const kept = verify ? await store.export(tenant, bundle.context.id) : undefined;
  const found = kept === undefined ? done.digest : bundleDigest(kept);
  if (found !== bundleDigest(bundle))
    throw mismatch(`The context ${bundle.context.id} reads back with another digest than it was written with.`, {
      tenant,
      contextId: bundle.context.id,
    });
  return done.changed;
}

function parse(text: string, number: number): Line {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch (error) {
    throw mismatch(`Line ${number} is not JSON: ${errorMessage(error)}`, { line: number });
  }
  const header = typeof line === "object" && line !== null && "hebra" in line ? line : undefined;
  if ((header !== undefined) !== (number === 1))
    throw mismatch("The lines do not begin with the header of an export of threads.", { line: number });
  if (header !== undefined && header.v > FORMAT)
    throw new HebraError(
      "SCHEMA_TOO_NEW",
      `The export has format ${header.v}; this build reads up to ${FORMAT}. Upgrade this process.`,
    );
  return line;
}

function finish(
  found: ReturnType<ReturnType<typeof createTally>["end"]>,
  told: { contexts: number; digest: string },
  unchanged: number,
): TransferReport {
  if (found.contexts !== told.contexts || found.digest !== told.digest) {
    throw mismatch(
      `The lines hold ${found.contexts} contexts with the digest ${found.digest}; their last line tells of ${told.contexts} with ${told.digest}.`,
      { contexts: found.contexts },
    );
  }
  return { ...found, unchanged };
}

function mismatch(message: string, details: Record<string, JsonValue>): HebraError {
  return new HebraError("DIGEST_MISMATCH", message, { details });
}
