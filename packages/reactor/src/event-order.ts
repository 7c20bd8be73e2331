import { HebraError } from "@hebra/core";
import { shapeProblem } from "./event-shape.ts";
import type { FinishReason, ReactorEvent } from "./events.ts";

/** Where a part of a step is. */
export type PartState = "absent" | "open" | "closed";

/**
 * Where an action call is. `requested`: the engine runs it. `owned`: the reactor runs it. `waiting`: the reactor runs
 * it once
 * it is approved.
 */
export type CallState = "absent" | "requested" | "owned" | "waiting" | "settled";

/** Where the answer as a whole is. */
export type AnswerState = "unmetered" | "metered" | "finished";

/** One row of the table: in which states an event may come, and the state after it. */
export interface OrderRule<State> {
  readonly from: readonly State[];
  readonly to: State;
}

/** The events of one part. */
export const partRules: Readonly<Record<"part-start" | "part-delta" | "part-end" | "part", OrderRule<PartState>>> = {
  "part-start": { from: ["absent"], to: "open" },
  "part-delta": { from: ["open"], to: "open" },
  "part-end": { from: ["open"], to: "closed" },
  part: { from: ["absent"], to: "closed" },
};

/** The events of one action call. A request with `ownedByReactor` leads to `owned` instead of `requested`. */
export const callRules: Readonly<
  Record<"action-request" | "action-result" | "approval-request", OrderRule<CallState>>
> = {
  "action-request": { from: ["absent"], to: "requested" },
  "action-result": { from: ["owned"], to: "settled" },
  "approval-request": { from: ["owned"], to: "waiting" },
};

/** The answer as a whole: what is not named here may come until it is finished, and leaves its state as it is. */
export const answerRules: Readonly<Record<"usage" | "finish", OrderRule<AnswerState>>> = {
  usage: { from: ["unmetered", "metered"], to: "metered" },
  finish: { from: ["metered"], to: "finished" },
};

/** What an {@link EventOrder} knows at its start. */
export interface EventOrderOptions {
  /**
   * Calls of earlier steps of the same execution. Their ids may not be used again; an `owned` one is to get its result
   * in
   * this step.
   *
   * @defaultValue none
   */
  calls?: Iterable<readonly [callId: string, state: "settled" | "owned"]>;
}

/** Follows one answer of a reactor, event by event. */
export interface EventOrder {
  /**
   * Takes the next event.
   *
   * @throws HebraError `REACTOR_PROTOCOL` when it is malformed or may not come now. The order must not be used after
   * that.
   */
  accept(event: ReactorEvent): void;
  /**
   * Says that the stream has ended.
   *
   * @throws HebraError `REACTOR_PROTOCOL` when `finish` has not come.
   */
  end(): void;
  /** Whether `finish` has come. */
  readonly finished: boolean;
}

/**
 * Checks the order of events of `reactor-v1` while they come. Ids of parts and calls are unique; parts open, grow and
 * close;
 * only a call that the reactor owns gets a result or an approval request from it; `usage` comes before `finish`;
 * `finish`
 * comes last and once, when every part is closed and every owned call is settled or waiting; its reason is `actions`
 * when
 * something is left to be run or approved, and never `stop` then.
 *
 * @example
 * ```ts
 * import { createEventOrder } from "@hebra/reactor";
 *
 * const order = createEventOrder();
 * order.accept({ type: "usage", usage: { inputTokens: 3, outputTokens: 1 } });
 * order.accept({ type: "finish", reason: "stop" });
 * order.end();
 * ```
 */
export function createEventOrder(options: EventOrderOptions = {}): EventOrder {
  const parts = new Map<string, PartState>();
  const calls = new Map<string, CallState>(options.calls ?? []);
  const count: Record<PartState | CallState, number> = {
    absent: 0,
    open: 0,
    closed: 0,
    requested: 0,
    owned: 0,
    waiting: 0,
    settled: 0,
  };
  for (const state of calls.values()) count[state]++;
  let answer: AnswerState = "unmetered";
  let index = 0;

  /** Moves one part or call along its rule. */
  function move<S extends PartState | CallState>(
    states: Map<string, S>,
    id: string,
    rule: OrderRule<S>,
    to: S,
    what: string,
  ): void {
    const from = states.get(id) ?? ("absent" as S);
    if (!rule.from.includes(from))
      throw violation(index, `${what} of \`${id}\`, which is ${from}; it must be ${rule.from.join(" or ")}`, id);
    if (from === to) return;
    count[from]--;
    count[to]++;
    states.set(id, to);
  }

  function finish(reason: FinishReason): void {
    const left = count.requested + count.waiting;
    const problem =
      answer !== "metered"
        ? "`finish` before `usage`"
        : count.open > 0
          ? `\`finish\` while ${count.open} part(s) are open`
          : count.owned > 0
            ? `\`finish\` while ${count.owned} call(s) that the reactor owns have no result`
            : reason === "actions" && left === 0
              ? "`finish` with reason `actions`, but nothing is left to be run or approved"
              : reason === "stop" && left > 0
                ? `\`finish\` with reason \`stop\`, but ${left} call(s) are left to be run or approved`
                : undefined;
    if (problem !== undefined) throw violation(index, problem);
    answer = answerRules.finish.to;
  }

  return {
    get finished() {
      return answer === "finished";
    },
    accept(event) {
      if (answer === "finished") throw violation(index, `\`${event.type}\` after \`finish\``);
      const problem = shapeProblem(event);
      if (problem !== undefined) throw violation(index, problem);
      switch (event.type) {
        case "part-start":
        case "part-delta":
        case "part-end":
        case "part":
          move(parts, event.partId, partRules[event.type], partRules[event.type].to, event.type);
          break;
        case "action-request":
          move(
            calls,
            event.callId,
            callRules[event.type],
            event.ownedByReactor === true ? "owned" : "requested",
            event.type,
          );
          break;
        case "action-result":
        case "approval-request":
          move(calls, event.callId, callRules[event.type], callRules[event.type].to, event.type);
          break;
        case "usage":
          answer = answerRules.usage.to;
          break;
        case "session":
          break;
        case "finish":
          finish(event.reason);
      }
      index++;
    },
    end() {
      if (answer !== "finished") throw violation(index, "the stream ended without `finish`");
    },
  };
}

function violation(index: number, problem: string, id?: string): HebraError {
  return new HebraError("REACTOR_PROTOCOL", `The reactor broke its contract at event ${index}: ${problem}.`, {
    details: { index, ...(id === undefined ? {} : { id }) },
  });
}
