/** How one turn came out. `stopped` counts for neither side; `unknown` is no data, never a success. */
export type TurnStatus =
  | "ok"
  | "failed"
  /** It ended at a limit, without its answer: too many steps, too long, cut short by the model. */
  | "incomplete"
  /** A person, the caller or a kill ended it. */
  | "stopped"
  /** Nobody can judge it. */
  | "unknown";

/** What is known of one turn. Only `status` is needed; what is left out is not measured. */
export interface TurnOutcome {
  readonly status: TurnStatus;
  /** What a `failed` turn failed with; its code and signature are counted. */
  readonly error?: unknown;
  /** Of the whole turn, in one unit for both engines, such as dollars. */
  readonly cost?: number;
  /** Answers of the model. */
  readonly steps?: number;
  /** Input and output together. */
  readonly tokens?: number;
  /** Every action call of the turn. An empty array says that there was none. */
  readonly calls?: readonly ActionCallOutcome[];
  /** It failed with something that nobody classified. @defaultValue a failed turn whose error has no code */
  readonly unknown?: boolean;
  /** Names the turn in incidents: its execution, the context it ran in, and its trace. */
  readonly executionId?: string;
  readonly contextId?: string;
  readonly traceId?: string;
}

/** One action call. */
export interface ActionCallOutcome {
  readonly name: string;
  readonly ok: boolean;
}

/** How a turn of an engine ended, as `@hebra/thread` has it. The router reads nothing else of it. */
export interface EngineResult {
  readonly executionId?: string;
  /** `completed`, `failed`, `incomplete` and `cancelled` are understood; anything else is `unknown`. */
  readonly status: string;
  readonly error?: unknown;
  readonly usage?: {
    readonly steps?: number;
    readonly inputTokens?: number;
    readonly outputTokens?: number;
    readonly costUsd?: number;
  };
  /** Parts with `kind: "action"` are action calls. */
  readonly parts?: readonly unknown[];
}

/** A turn in flight, as `@hebra/thread` hands it out. It is judged when `result` settles. */
export interface EngineTurn {
  readonly executionId?: string;
  readonly contextId?: string;
  readonly traceId?: string;
  readonly result: PromiseLike<EngineResult>;
  /** Whether the store has every row of the turn, read once it has ended. Other answers than booleans are no data. */
  readonly verified?: PromiseLike<unknown>;
}

const STATUS: Readonly<Record<string, TurnStatus>> = {
  completed: "ok",
  failed: "failed",
  incomplete: "incomplete",
  cancelled: "stopped",
};

/** Codes with which a handle says that the turn goes on in another process. */
const ELSEWHERE: readonly string[] = ["CLOSED", "LOCK_LOST", "STALE_FENCE"];

/** The outcome of an engine's result. */
export function outcomeOfResult(result: EngineResult): TurnOutcome {
  const { error, usage, parts, executionId } = result;
  const tokens = sum(usage?.inputTokens, usage?.outputTokens);
  return {
    status: Object.hasOwn(STATUS, result.status) ? STATUS[result.status]! : "unknown",
    ...(error === undefined || error === null ? {} : { error }),
    ...(usage?.costUsd === undefined ? {} : { cost: usage.costUsd }),
    ...(usage?.steps === undefined ? {} : { steps: usage.steps }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(parts === undefined ? {} : { calls: parts.flatMap(callOf) }),
    ...idsOf({ executionId }),
  };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

function callOf(part: unknown): readonly ActionCallOutcome[] {
  const { kind, name, status } = (part ?? {}) as { kind?: unknown; name?: unknown; status?: unknown };
  return kind === "action" ? [{ name: String(name), ok: status !== "failed" }] : [];
}

/** The outcome of a rejection: of a handler, or of a turn's `result`. */
export function outcomeOfFailure(error: unknown): TurnOutcome {
  const { code, name } = (typeof error === "object" && error !== null ? error : {}) as {
    code?: unknown;
    name?: unknown;
  };
  if (code === "ABORTED" || name === "AbortError") return { status: "stopped", error };
  return { status: ELSEWHERE.includes(code as string) ? "unknown" : "failed", error };
}

/** The ids that are texts. */
function idsOf(from: object): Pick<TurnOutcome, "executionId" | "contextId" | "traceId"> {
  const given = from as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    ["executionId", "contextId", "traceId"].flatMap((name) =>
      typeof given[name] === "string" ? [[name, given[name]]] : [],
    ),
  );
}

/** What an answer says about its turn; `undefined` when the router does not understand it. */
export function outcomeOfAnswer(answer: unknown): TurnOutcome | Promise<TurnOutcome> | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { result, status } = answer as { readonly result?: unknown; readonly status?: unknown };
  if (isThenable<unknown>(result)) {
    const ids = idsOf(answer);
    return Promise.resolve(result)
      .then(ofSettled, outcomeOfFailure)
      .then((outcome) => ({ ...ids, ...outcome }));
  }
  const isResult = typeof status === "string" && ("usage" in answer || "parts" in answer || "executionId" in answer);
  return isResult ? outcomeOfResult(answer as EngineResult) : undefined;
}

/** Settles when the rows of a finished turn were read back; never for a turn of which nobody can tell. */
export function verification(answer: unknown): Promise<boolean> | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { verified } = answer as { readonly verified?: unknown };
  if (!isThenable<unknown>(verified)) return undefined;
  return new Promise((resolve) => {
    verified.then(
      (complete) => {
        if (typeof complete === "boolean") resolve(complete);
      },
      // The rows could not be read: no data.
      () => undefined,
    );
  });
}

function ofSettled(result: unknown): TurnOutcome {
  const { status } = (typeof result === "object" && result !== null ? result : {}) as { readonly status?: unknown };
  return typeof status === "string" ? outcomeOfResult(result as EngineResult) : { status: "unknown" };
}

/** Whether a value is a promise, of whatever make. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
