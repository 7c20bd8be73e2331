import { HebraError, type ErrorCode } from "@hebra/core";

/** What an answer of the server, or a failure of its client, means for the caller. */
interface Meaning {
  code: ErrorCode;
  retryable: boolean;
  /** What happened and what to do. */
  message: string;
}

function failed(message: string, retryable = false): Meaning {
  return { code: "STORE_FAILED", retryable, message };
}

const away: Meaning = {
  code: "UNREACHABLE",
  retryable: true,
  message:
    "Redis could not be reached, or the connection broke off. Check that it runs and its address; whether the last write landed is unknown, and it can be repeated.",
};
const notNow: Meaning = {
  code: "UNREACHABLE",
  retryable: true,
  message: "Redis cannot serve at the moment: it is starting, failing over or moving slots. Repeat the call.",
};
const login = failed("Redis refused the login. Check the user and password of the connection.");
const cluster = failed("This Redis is part of a cluster. Connect with `cluster`.");

/** By the first word of an answer: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const byWord: Readonly<Record<string, Meaning>> = {
  NOAUTH: login,
  WRONGPASS: login,
  NOPERM: failed("The user of the connection lacks a right in Redis. Grant it with ACL SETUSER."),
  LOADING: notNow,
  MASTERDOWN: notNow,
  CLUSTERDOWN: notNow,
  TRYAGAIN: notNow,
  NOREPLICAS: notNow,
  UNBLOCKED: notNow,
  READONLY: {
    code: "UNREACHABLE",
    retryable: true,
    message: "Redis accepts no writes here: this is a replica. Connect to the master, or repeat after the failover.",
  },
  BUSY: {
    code: "STORE_BUSY",
    retryable: true,
    message: "Redis runs a script that does not end. Repeat the call, or end the script with SCRIPT KILL.",
  },
  OOM: failed("Redis has reached its `maxmemory`. Raise it or remove keys, then repeat the call.", true),
  MISCONF: failed("Redis cannot save to its disk and so refuses writes. Free some space, then repeat the call.", true),
  WRONGTYPE: failed("A key of the store's name is not the store's. Choose another `namespace`."),
  MOVED: cluster,
  ASK: cluster,
  CROSSSLOT: cluster,
};

/** By words, for answers that begin with ERR and for failures of the client. */
const byText: readonly (readonly [RegExp, Meaning])[] = [
  [/max number of clients/, failed("Redis has no connection left. Raise its `maxclients`, then repeat.", true)],
  [/AUTH.*without any password|no password is set/, login],
  [/DB index/, failed("This Redis has no database of that number. Correct it in the connection.")],
  [
    /ERR_INVALID_URL|port.*should be|ERR_SOCKET_BAD_PORT|Invalid URL/i,
    {
      code: "INVALID_OPTIONS",
      retryable: false,
      message: "redisStore: the connection is no valid address. Check its host and port.",
    },
  ],
  [
    /ERR_TLS|CERT|[Cc]ertificate|self-signed|EPROTO/,
    failed("The TLS connection to Redis failed. Check its certificates."),
  ],
];

/**
 * A client's error as one of ours. Its own object stays behind, as it carries the command's arguments.
 *
 * @param reason - why the last connection failed, when the error tells only that the client gave up
 */
export function wrapped(error: unknown, reason?: Error): unknown {
  if (HebraError.isInstance(error)) return error;
  const given = error instanceof Error ? error.message : String(error);
  if (given.startsWith("NOSCRIPT")) return error;
  const gaveUp = reason !== undefined && !isReply(error);
  const text = gaveUp ? reason.message : given;
  const word = /^[A-Z]+\b/.exec(text)?.[0] ?? "";
  const known = (isReply(error) || gaveUp ? byWord[word] : undefined) ?? byText.find(([one]) => one.test(text))?.[1];
  const { code, retryable, message } =
    known ?? (isReply(error) ? failed("Redis refused a command. See the cause.") : away);
  return new HebraError(code, message, {
    cause: new Error(gaveUp ? `${given} (${text})` : given),
    retryable,
    ...(word !== "" && word !== "ERR" && { details: { redis: word } }),
  });
}

/** The server refused to select the database of the connection. */
export function isWrongDatabase(error: Error): boolean {
  return error.message.includes("DB index");
}

/** Whether the server said it, and not the client. */
function isReply(error: unknown): boolean {
  return error instanceof Error && (error.name === "ReplyError" || /^[A-Z]{3,} /.test(error.message));
}
