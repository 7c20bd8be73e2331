import { HebraError, type ErrorCode } from "@hebra/core";

/** What a result code of SQLite means for the caller. */
interface Meaning {
  code: ErrorCode;
  retryable: boolean;
  /** What happened and what to do. */
  message: string;
}

function failed(message: string, retryable = false): Meaning {
  return { code: "STORE_FAILED", retryable, message };
}

const foreign = failed(
  "The SQLite file holds a table or index of the store's name that is not the store's. Choose another path.",
);

/** The file has a table of the store's name that the store did not make. */
export function foreignTable(): HebraError {
  return new HebraError(foreign.code, foreign.message, { retryable: foreign.retryable });
}

/** By primary result code: https://www.sqlite.org/rescode.html */
const byCode: Readonly<Record<string, Meaning>> = {
  SQLITE_BUSY: {
    code: "STORE_BUSY",
    retryable: true,
    message: "Another process kept the SQLite file busy. Nothing was written; repeat the call, or raise `busyMs`.",
  },
  SQLITE_CONSTRAINT: {
    code: "VERSION_CONFLICT",
    retryable: true,
    message: "A row of the same key is there already. Load the context again and repeat.",
  },
  SQLITE_PERM: failed("SQLite may not use its file. Give this process the right to read and write it."),
  SQLITE_READONLY: failed(
    "The SQLite file or its directory is read-only. Give this process the right to write both, or choose another path.",
  ),
  SQLITE_IOERR: failed("Reading or writing the SQLite file failed. Check the disk and the file system."),
  SQLITE_CORRUPT: failed("The SQLite file is damaged. Restore it from a copy."),
  SQLITE_FULL: failed("The disk of the SQLite file is full. Free some space, then repeat the call.", true),
  SQLITE_NOMEM: failed("SQLite got no memory. Free some, then repeat the call.", true),
  SQLITE_CANTOPEN: failed(
    "SQLite could not open the file. Check that its directory is there, that it is no directory itself, and its rights.",
  ),
  SQLITE_NOTADB: failed("The file is no SQLite database, or is encrypted. Choose another path."),
};

/** What SQLite says in words under one code for everything. */
const byText: readonly (readonly [RegExp, Meaning])[] = [
  [
    /no such (table|column)|has no column/,
    {
      code: "SCHEMA_NOT_APPLIED",
      retryable: false,
      message:
        "The store's tables are missing in the SQLite file or older than this build needs. Apply its migrations.",
    },
  ],
  [/already exists/, foreign],
  [/not open/, { code: "CLOSED", retryable: false, message: "The SQLite database was closed before the store." }],
];

/** Primary result codes by number. Two are one to callers: a table is locked as a file is. */
const names: Readonly<Record<number, string>> = {
  3: "SQLITE_PERM",
  5: "SQLITE_BUSY",
  6: "SQLITE_BUSY",
  7: "SQLITE_NOMEM",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  19: "SQLITE_CONSTRAINT",
  26: "SQLITE_NOTADB",
};

/** SQLite's own primary code of an error, whichever library threw it: `SQLITE_BUSY`. */
export function sqliteCode(error: unknown): string {
  const { code, errcode, message } = error as { code?: unknown; errcode?: unknown; message?: unknown };
  if (typeof code === "string" && code.startsWith("SQLITE_")) {
    const primary = code.split("_", 2).join("_");
    return primary === "SQLITE_LOCKED" ? "SQLITE_BUSY" : primary;
  }
  // libsql says in words what kept it from opening a file, with the number at the end.
  const opening = /Unable to open connection.*: (\d+)"/.exec(String(message))?.[1];
  const number = typeof errcode === "number" ? errcode : Number(opening);
  const name = names[number & 0xff];
  if (name !== undefined) return name;
  if (/database is locked/i.test(String(message))) return "SQLITE_BUSY";
  return /UNIQUE constraint failed/i.test(String(message)) ? "SQLITE_CONSTRAINT" : "SQLITE_ERROR";
}

/** A library's error as one of ours. */
export function wrapped(error: unknown): unknown {
  if (HebraError.isInstance(error)) return error;
  const found = sqliteCode(error);
  const text = String((error as { message?: unknown } | null | undefined)?.message);
  const { code, retryable, message } =
    byCode[found] ??
    byText.find(([pattern]) => pattern.test(text))?.[1] ??
    failed("SQLite refused a call. See the cause.");
  return new HebraError(code, message, { cause: error, retryable, details: { sqlite: found } });
}
