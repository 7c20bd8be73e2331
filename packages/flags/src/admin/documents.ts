import { errorMessage, HebraError } from "@hebra/core";
import { open, readFile, rename } from "node:fs/promises";
import { parseFlagDocument } from "../evaluate/document.ts";
import { changedDocument, readStored, replacedDocument } from "../evaluate/stored-document.ts";
import type { FlagDocument } from "../evaluate/types.ts";
import { takeLockFile } from "../rollout/store/lock-file.ts";

/** The document as its writer sees it. */
export interface StoredFlags {
  readonly document: FlagDocument;
  /** 0 when nothing is stored. */
  readonly revision: number;
  /** Flags that are stored and cannot be used, with the reason. A write leaves them as they are. */
  readonly rejected?: Readonly<Record<string, string>>;
}

/** Where the admin reads and writes the flag document; `redisFlagWriter` and `postgresFlagWriter` fit. */
export interface FlagDocumentStore {
  /** @throws HebraError `STORE_FAILED` when what is stored is no flag document, `UNREACHABLE` */
  read(): Promise<StoredFlags>;
  /** @throws HebraError `REVISION_CONFLICT`; `FLAG_INVALID` for an entry that the write changes */
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
  const textOf = (): Promise<string> =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? '{"flags":{}}' : Promise.reject(error),
    );
  function stored(text: string): StoredFlags {
    const { document, rejected } = readStored(text);
    return { document, rejected, revision: Number(document.metadata?.[REVISION] ?? 0) };
  }
  /** Of whatever is there: a write without a revision also replaces what is no document. */
  const revisionOf = (text: string): number => {
    try {
      return stored(text).revision;
    } catch {
      return 0;
    }
  };
  return {
    read: () => inTurn(async () => stored(await textOf())),
    write: (document, expected) =>
      inTurn(async () => {
        const lock = await takeLockFile(`${path}.lock`);
        try {
          const before = await textOf();
          const revision = expected === undefined ? revisionOf(before) : stored(before).revision;
          if (expected !== undefined && expected !== revision) throw conflict(revision, expected);
          const metadata = { ...document.metadata, [REVISION]: revision + 1 };
          const changed = expected === undefined ? replacedDocument : changedDocument;
          const next = changed(before, { ...document, metadata });
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
