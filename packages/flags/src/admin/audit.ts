import { digest, errorMessage, HebraError } from "@hebra/core";
import { appendFile, readFile } from "node:fs/promises";

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

/** Where the changes of flags are kept, chained by hash. */
export interface AuditLog {
  append(entry: Omit<AuditEntry, "sequence" | "previous" | "hash">): Promise<AuditEntry>;
  /** Oldest first. */
  list(flag?: string): Promise<AuditEntry[]>;
}

function chained(load: () => Promise<AuditEntry[]>, store: (entry: AuditEntry) => Promise<void>): AuditLog {
  let last: Promise<unknown> = Promise.resolve();
  return {
    append(entry) {
      const run = last.then(async () => {
        const before = (await load()).at(-1);
        const open = { ...entry, sequence: (before?.sequence ?? 0) + 1, previous: before?.hash ?? "" };
        const sealed: AuditEntry = { ...open, hash: digest(open) };
        await store(sealed);
        return sealed;
      });
      last = run.catch(() => undefined);
      return run;
    },
    list: async (flag) => (await load()).filter((entry) => flag === undefined || entry.flag === flag),
  };
}

/** An audit log that ends with its process. */
export function memoryAudit(): AuditLog {
  const entries: AuditEntry[] = [];
  return chained(
    async () => entries,
    async (entry) => void entries.push(entry),
  );
}

/** An audit log in a file, a JSON line an entry. @throws HebraError `STORE_FAILED` from its methods */
export function fileAudit(path: string): AuditLog {
  const guard = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw new HebraError("STORE_FAILED", `The audit file failed: ${errorMessage(error)}`, { cause: error });
    });
  return chained(
    () =>
      guard(
        readFile(path, "utf8").then(
          (text) =>
            text
              .split("\n")
              .filter((line) => line !== "")
              .map((line) => JSON.parse(line) as AuditEntry),
          (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? [] : Promise.reject(error)),
        ),
      ),
    (entry) => guard(appendFile(path, `${JSON.stringify(entry)}\n`, { flush: true })),
  );
}

/** @throws HebraError `EVIDENCE_TAMPERED` naming the first broken entry */
export function verifyAudit(entries: readonly AuditEntry[]): void {
  let previous = "";
  for (const [index, { hash, ...rest }] of entries.entries()) {
    if (rest.sequence !== index + 1 || rest.previous !== previous || digest(rest) !== hash)
      throw new HebraError("EVIDENCE_TAMPERED", `Audit entry ${index + 1} was changed, moved or removed.`, {
        details: { entry: index + 1 },
      });
    previous = hash;
  }
}
