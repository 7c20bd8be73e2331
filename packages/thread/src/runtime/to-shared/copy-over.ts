import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { errorCode, HebraError } from "@hebra/core";
import { bundleDigest } from "../../store/bundle.ts";
import type { ContextBundle, ThreadStore } from "../../store/store.ts";
import { importJsonLines } from "../../store/transfer.ts";
import { tallyOf, withoutPhase, type Tally } from "../to-local/copy.ts";

const linesOf = (file: string) => createInterface({ input: createReadStream(file) });

/**
 * Imports an export into the shared store and compares both sides, context by context.
 *
 * @throws HebraError `IMPORT_CONFLICT` where the shared store has other conversations under the same keys;
 * `DIGEST_MISMATCH` when the local store has changed meanwhile
 */
export async function copyOver(
  source: ThreadStore,
  target: ThreadStore,
  file: string,
  onContext: (contexts: number) => void,
): Promise<Tally> {
  let contexts = 0;
  const { digest, counts } = await importJsonLines(target, linesOf(file), {
    onContext: () => onContext(++contexts),
  }).catch((error: unknown) => {
    if (errorCode(error) !== "IMPORT_CONFLICT") throw error;
    throw new HebraError(
      "IMPORT_CONFLICT",
      "The shared store has other conversations under the same keys. Name an empty schema or namespace in the configuration, or run this with --undo to stay local.",
      { cause: error },
    );
  });
  const here = await tallyOf(withoutPhase(source));
  if (here.digest !== digest)
    throw new HebraError(
      "DIGEST_MISMATCH",
      "The local store has changed during the copy: something still writes to it. Nothing was switched; end what writes, and run this again.",
    );
  return { contexts, counts, digest };
}

/** A context as a line of an export. */
type Line = { tenant: string; digest: string; bundle: ContextBundle };

async function* contextsOf(file: string): AsyncGenerator<Line> {
  for await (const text of linesOf(file)) {
    const line = JSON.parse(text) as Partial<Line>;
    if (line.bundle !== undefined) yield line as Line;
  }
}

/** @returns how many contexts there are. @throws HebraError `DIGEST_MISMATCH` when one is not in the store */
export async function verifyThere(store: ThreadStore, file: string): Promise<number> {
  let count = 0;
  for await (const { tenant, bundle } of contextsOf(file)) {
    count++;
    if ((await store.load(tenant, { contextId: bundle.context.id })) === undefined)
      throw new HebraError("DIGEST_MISMATCH", `The conversation ${bundle.thread.key} is not in the shared store.`, {
        details: { tenant, key: bundle.thread.key },
      });
  }
  return count;
}

/** Removes the copies of an export that nothing has changed. */
export async function removeCopies(store: ThreadStore, file: string): Promise<void> {
  for await (const { tenant, digest, bundle } of contextsOf(file)) {
    const copy = await store.export(tenant, bundle.context.id);
    if (copy !== undefined && bundleDigest(copy) === digest) await store.deleteThread(tenant, { id: bundle.thread.id });
  }
}
