import { HebraError, type ErrorCode } from "@hebra/core";

/** What an error of the server or of its driver means for the caller. */
interface Meaning {
  code: ErrorCode;
  retryable: boolean;
  /** What happened and what to do. */
  message: string;
}

const away: Meaning = {
  code: "UNREACHABLE",
  retryable: true,
  message:
    "PostgreSQL could not be reached, or the connection broke off. Check that it runs and its address; whether the last write landed is unknown, and it can be repeated.",
};
const busy: Meaning = {
  code: "STORE_BUSY",
  retryable: true,
  message:
    "Another process kept for too long what this call needs in PostgreSQL, or this one stood still in the middle of it. Nothing was written; repeat it, or raise `busyMs`.",
};
const login: Meaning = failed(
  "PostgreSQL refused the login. Check the user and password of the connection, and the server's pg_hba.conf.",
);
const schema: Meaning = {
  code: "SCHEMA_NOT_APPLIED",
  retryable: false,
  message: "The store's tables are missing in PostgreSQL or older than this build needs. Apply its migrations.",
};
export const foreignTable: Meaning = failed(
  "The PostgreSQL schema holds a table or index of the store's name that is not the store's. Choose another `schema`.",
);
const standby: Meaning = {
  code: "UNREACHABLE",
  retryable: true,
  message:
    "PostgreSQL accepts no writes here: this is a standby or is read-only. Connect to the primary, or repeat the call after the failover.",
};
const full = failed("PostgreSQL has no disk, memory or connection left. Free some, then repeat the call.", true);
const encryption = failed(
  "The TLS connection to PostgreSQL failed. Check `sslmode` and the certificates of the connection.",
);

function failed(message: string, retryable = false): Meaning {
  return { code: "STORE_FAILED", retryable, message };
}

/** By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html; two characters stand for a class. */
const byState: Readonly<Record<string, Meaning>> = {
  "08": away,
  "57P01": away,
  "57P02": away,
  "57P03": away,
  "57P05": away,
  "55P03": busy,
  "57014": busy,
  "25P03": busy,
  "25P04": busy,
  "40001": busy,
  "40P01": busy,
  "25006": standby,
  "53": full,
  "28": login,
  "3D000": failed("The database of the connection does not exist in PostgreSQL. Create it, or correct its name."),
  "42501": failed("The user of the connection lacks a right in PostgreSQL. Grant it, or connect as the owner."),
  "42P01": schema,
  "42703": schema,
  "3F000": schema,
  "42P07": foreignTable,
  "42710": foreignTable,
  "23505": {
    code: "VERSION_CONFLICT",
    retryable: true,
    message: "A row of the same key is there already. Load the context again and repeat.",
  },
};

/** By the code of an error of Node's, and then by what the driver says in words. */
const byText: readonly (readonly [RegExp, Meaning])[] = [
  [/ERR_INVALID_URL|ERR_SOCKET_BAD_PORT/, invalid("is no valid address. Check its host and port.")],
  [/ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO_VERIFY|EPROTO|does not support SSL/, encryption],
  [/password must be a/, login],
  [/after calling end/, { code: "CLOSED", retryable: false, message: "The pool of the store was ended before it." }],
  [/^(E[A-Z]+|ERR_STREAM|ERR_SOCKET)|[Cc]onnection|timeout|terminat|not queryable/, away],
];

function invalid(what: string): Meaning {
  return { code: "INVALID_OPTIONS", retryable: false, message: `postgresStore: the connection ${what}` };
}

/** The SQLSTATE of an error of the server. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : undefined;
}

function meaningOf(error: unknown): Meaning {
  const state = sqlState(error);
  if (state !== undefined)
    return (
      byState[state] ??
      byState[state.slice(0, 2)] ??
      failed(`PostgreSQL refused a statement (SQLSTATE ${state}). See the cause.`)
    );
  const text = codeOf(error) ?? String((error as { message?: unknown } | null | undefined)?.message);
  const known = byText.find(([pattern]) => pattern.test(text))?.[1];
  return known ?? failed("The PostgreSQL driver failed. See the cause.");
}

/** A driver's error as one of ours. */
export function wrapped(error: unknown): unknown {
  if (HebraError.isInstance(error)) return error;
  return explained(error, meaningOf(error));
}

export function explained(error: unknown, { code, retryable, message }: Meaning): HebraError {
  const state = sqlState(error);
  return new HebraError(code, message, {
    cause: error,
    retryable,
    ...(state !== undefined && { details: { sqlState: state } }),
  });
}

/** After which the same work, begun anew, may succeed: a serialization failure, a deadlock, a row of the same key. */
const REPEATABLE = new Set(["40001", "40P01", "23505"]);

export function isRepeatable(error: unknown): boolean {
  const code = sqlState(error);
  return code !== undefined && REPEATABLE.has(code);
}

/** Whether the connection that gave this error can be used again. */
export function isUsableAfter(error: unknown): boolean {
  if (HebraError.isInstance(error)) return error.code !== "UNREACHABLE";
  const state = sqlState(error);
  return state !== undefined && !state.startsWith("08") && !state.startsWith("57");
}
