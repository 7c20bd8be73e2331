import { open, rename, stat } from "node:fs/promises";
import type { CounterRow } from "../counter-row.ts";
import { rowKey } from "./memory.ts";

/** The counters of one flag in a file that grows by what is reported: a JSON line a row, the larger sequence counts. */
export interface CounterFile {
  /** Every row, each as it was last reported. A row that did not change is the same object as before. */
  read(): Promise<readonly CounterRow[]>;
  /** Adds rows; the caller holds the lock. */
  append(rows: readonly CounterRow[]): Promise<void>;
  /** Keeps what `keep` says; the caller holds the lock. */
  prune(keep: (row: CounterRow) => boolean): Promise<void>;
}

/** A file that is smaller is not worth a compaction, bytes. */
const SMALL = 1_000_000;

/** @param path - shared with other processes, which append and compact as well */
export function counterFile(path: string): CounterFile {
  let rows = new Map<string, CounterRow>();
  /** Which file was read, and how far. */
  let inode = -1;
  let offset = 0;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = last.then(work);
    last = run.catch(() => undefined);
    return run;
  };

  function take(row: CounterRow): void {
    const key = rowKey(row);
    if ((rows.get(key)?.sequence ?? -1) < row.sequence) rows.set(key, row);
  }

  /** Reads what was added since the last look; all of it when the file was compacted meanwhile. */
  async function catchUp(): Promise<void> {
    const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? undefined : Promise.reject(error),
    );
    if (handle === undefined) {
      rows = new Map();
      [inode, offset] = [-1, 0];
      return;
    }
    try {
      const { ino, size } = await handle.stat();
      if (ino !== inode || size < offset) {
        rows = new Map();
        [inode, offset] = [ino, 0];
      }
      const buffer = Buffer.alloc(size - offset);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
      // A line that is being written, or that a crash tore, is read when it is whole.
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      offset += end;
      for (const line of buffer.subarray(0, end).toString().split("\n")) {
        const row = parse(line);
        if (row !== undefined) take(row);
      }
    } finally {
      await handle.close();
    }
  }

  async function replace(kept: readonly CounterRow[]): Promise<void> {
    const next = `${path}.${process.pid}.next`;
    const handle = await open(next, "w");
    try {
      await handle.writeFile(kept.map((row) => `${JSON.stringify(row)}\n`).join(""));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, path);
    const { ino, size } = await stat(path);
    rows = new Map(kept.map((row) => [rowKey(row), row]));
    [inode, offset] = [ino, size];
  }

  /** Size after the last compaction of this process, bytes. */
  let compacted = 0;
  return {
    read: () =>
      inTurn(async () => {
        await catchUp();
        return [...rows.values()];
      }),
    append: (fresh) =>
      inTurn(async () => {
        const handle = await open(path, "a");
        let size: number;
        try {
          // The break first ends a line that a crash tore.
          await handle.writeFile(fresh.map((row) => `\n${JSON.stringify(row)}\n`).join(""));
          await handle.datasync();
          ({ size } = await handle.stat());
        } finally {
          await handle.close();
        }
        if (size < Math.max(SMALL, 2 * compacted)) return;
        await catchUp();
        await replace([...rows.values()]);
        compacted = offset;
      }),
    prune: (keep) =>
      inTurn(async () => {
        await catchUp();
        const kept = [...rows.values()].filter(keep);
        if (kept.length < rows.size) await replace(kept);
      }),
  };
}

function parse(line: string): CounterRow | undefined {
  try {
    return line === "" ? undefined : (JSON.parse(line) as CounterRow);
  } catch {
    return undefined;
  }
}
