import { errorMessage, HebraError } from "@hebra/core";
import { open, readFile, rename } from "node:fs/promises";
import { parseFlagDocument, parseFlagText } from "../evaluate/document.ts";
import type { FlagDocument } from "../evaluate/types.ts";
import { takeLockFile } from "../rollout/store/lock-file.ts";

/** Where the admin reads and writes the flag document; `redisFlagWriter` fits. */
export interface FlagDocumentStore {
  read(): Promise<{ readonly document: FlagDocument; readonly revision: number }>;
  /** @throws HebraError `REVISION_CONFLICT`, `FLAG_INVALID` */
  write(document: FlagDocument, expected?: number): Promise<number>;
}

function conflict(revision: number, expected: number): HebraError {
  return new HebraError("REVISION_CONFLICT", `The flags are at revision ${revision}, not ${expected}.`, {
    details: { revision, expected },
  });
}

/** A document in memory. @param onWrite - told of each write; `staticProvider().set` fits */
export function memoryFlagDocuments(
  initial: FlagDocument = { flags: {} },
  onWrite: (document: FlagDocument) => void = () => {},
): FlagDocumentStore {
  let document = parseFlagDocument(initial);
  let revision = 0;
  return {
    read: async () => ({ document, revision }),
    async write(next, expected) {
      if (expected !== undefined && expected !== revision) throw conflict(revision, expected);
      document = parseFlagDocument(next);
      onWrite(document);
      return ++revision;
    },
  };
}

/** The metadata entry that holds a file's revision. */
const REVISION = "hebraRevision";

/**
 * A document in a file, as `fileProvider` watches it. It is replaced by rename, so that no reader sees half of it, and
 * several processes of one host may write: each write holds a lock file.
 *
 * @throws HebraError `STORE_FAILED` from its methods.
 */
export function fileFlagDocuments(path: string): FlagDocumentStore {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = last.then(work).catch((error: unknown) => {
      throw HebraError.isInstance(error)
        ? error
        : new HebraError("STORE_FAILED", `The flag file cannot be read or written: ${errorMessage(error)}`, {
            cause: error,
          });
    });
    last = run.catch(() => undefined);
    return run;
  };
  async function read(): Promise<{ document: FlagDocument; revision: number }> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? '{"flags":{}}' : Promise.reject(error),
    );
    const document = parseFlagText(text);
    return { document, revision: Number(document.metadata?.[REVISION] ?? 0) };
  }
  return {
    read: () => inTurn(read),
    write: (document, expected) =>
      inTurn(async () => {
        const lock = await takeLockFile(`${path}.lock`);
        try {
          const { revision } = await read();
          if (expected !== undefined && expected !== revision) throw conflict(revision, expected);
          const next = parseFlagDocument({ ...document, metadata: { ...document.metadata, [REVISION]: revision + 1 } });
          const handle = await open(`${path}.${process.pid}.next`, "w");
          await handle.writeFile(`${JSON.stringify(next, null, 2)}\n`);
          await handle.sync();
          await handle.close();
          await lock.assertHeld();
          await rename(`${path}.${process.pid}.next`, path);
          return revision + 1;
        } finally {
          await lock.release();
        }
      }),
  };
}
