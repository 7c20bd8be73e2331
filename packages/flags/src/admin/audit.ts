import { digest, errorMessage, HebraError } from "@hebra/core";
import { appendFile, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { takeLockFile } from "../rollout/store/lock-file.ts";

/** One change of the flag document. */
export interface AuditEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** ISO 8601 instant. */
  readonly at: string;
  readonly actor: string;
  readonly action: "set" | "remove" | "kill" | "unkill";
  readonly flag: string;
  readonly reason: string;
  /** Digests of the flag's entries before and after; empty when there is none. */
  readonly from: string;
  readonly to: string;
  /** Revision of the document after the change. */
  readonly revision: number;
  readonly previous: string;
  readonly hash: string;
}

/** The end of an audit log. */
export interface AuditHead {
  readonly sequence: number;
  readonly hash: string;
}

/** Where the changes of flags are kept, chained by hash. */
export interface AuditLog {
  append(entry: Omit<AuditEntry, "sequence" | "previous" | "hash">): Promise<AuditEntry>;
  /** Oldest first. */
  list(flag?: string): Promise<AuditEntry[]>;
  /** The last entry written, kept apart from the entries. Absent: a log that was cut off looks whole. */
  head?(): Promise<AuditHead | undefined>;
}

type Unsealed = Omit<AuditEntry, "sequence" | "previous" | "hash">;

function sealAfter(before: AuditEntry | undefined, entry: Unsealed): AuditEntry {
  const open = { ...entry, sequence: (before?.sequence ?? 0) + 1, previous: before?.hash ?? "" };
  return { ...open, hash: digest(open) };
}

/** An audit log that ends with its process. */
export function memoryAudit(): AuditLog {
  const entries: AuditEntry[] = [];
  return {
    async append(entry) {
      const sealed = sealAfter(entries.at(-1), entry);
      entries.push(sealed);
      return sealed;
    },
    list: async (flag) => entries.filter((entry) => flag === undefined || entry.flag === flag),
    head: async () => headOf(entries.at(-1)),
  };
}

const headOf = (entry: AuditEntry | undefined): AuditHead | undefined =>
  entry === undefined ? undefined : { sequence: entry.sequence, hash: entry.hash };

/**
 * An audit log in a file, a JSON line an entry, with its end kept in `<path>.head`: entries that are cut off are
 * missed.
 * Several processes of one host may write. A line that a crash tore is left out, and replaced by the next entry.
 *
 * @throws HebraError `STORE_FAILED` from its methods
 */
export function fileAudit(path: string): AuditLog {
  let last: Promise<unknown> = Promise.resolve();
  const guard = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw HebraError.isInstance(error)
        ? error
        : new HebraError("STORE_FAILED", `The audit file failed: ${errorMessage(error)}`, { cause: error });
    });

  async function read(): Promise<{ readonly entries: AuditEntry[]; readonly bytes: number }> {
    const text = (await textOf(path)) ?? "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const lines = whole.split("\n").filter((line) => line !== "");
    return { entries: lines.map((line) => JSON.parse(line) as AuditEntry), bytes: Buffer.byteLength(whole) };
  }

  async function append(entry: Unsealed): Promise<AuditEntry> {
    const lock = await takeLockFile(`${path}.lock`);
    try {
      const { entries, bytes } = await read();
      const sealed = sealAfter(entries.at(-1), entry);
      await writeFile(path, "", { flag: "a" });
      await truncate(path, bytes);
      await lock.assertHeld();
      await appendFile(path, `${JSON.stringify(sealed)}\n`, { flush: true });
      await writeFile(`${path}.head.next`, JSON.stringify(headOf(sealed)), { flush: true });
      await rename(`${path}.head.next`, `${path}.head`);
      return sealed;
    } finally {
      await lock.release();
    }
  }

  return {
    append(entry) {
      const run = guard(last.then(() => append(entry)));
      last = run.catch(() => undefined);
      return run;
    },
    list: (flag) =>
      guard(read().then(({ entries }) => entries.filter((one) => flag === undefined || one.flag === flag))),
    head: () =>
      guard(textOf(`${path}.head`).then((text) => (text === undefined ? undefined : (JSON.parse(text) as AuditHead)))),
  };
}

function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? undefined : Promise.reject(error),
  );
}

/**
 * @param head - the end of the log as it is known outside of it; finds entries that were cut off.
 * @throws HebraError `EVIDENCE_TAMPERED` naming the first broken entry
 */
export function verifyAudit(entries: readonly AuditEntry[], head?: AuditHead): void {
  let previous = "";
  for (const [index, { hash, ...rest }] of entries.entries()) {
    if (rest.sequence !== index + 1 || rest.previous !== previous || digest(rest) !== hash)
      throw new HebraError("EVIDENCE_TAMPERED", `Audit entry ${index + 1} was changed, moved or removed.`, {
        details: { entry: index + 1 },
      });
    previous = hash;
  }
  if (head !== undefined && entries[head.sequence - 1]?.hash !== head.hash)
    throw new HebraError(
      "EVIDENCE_TAMPERED",
      `The audit ends at entry ${entries.length}, but entry ${head.sequence} was written: entries were removed.`,
      { details: { entry: head.sequence } },
    );
}
