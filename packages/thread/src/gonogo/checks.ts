import { canonicalJson } from "@hebra/core";
import { callStates, isTerminal } from "../store/states.ts";
import type { ContextBundle } from "../store/store.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import type { GoNoGoCheck, Measured } from "./check.ts";
import type { GoNoGoHost, SeenSpan } from "./host.ts";

/** What a host lacks to be measured. */
const missing = (what: string): Measured => ({
  value: null,
  note: `The host has no \`${what}\`: this was not measured.`,
});

/** Says something that is done at most once, however many checks ask for it. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= work());
}

/**
 * The checks that every rollout has to pass, over what a host offers.
 *
 * @param session - makes sessions that have not been before.
 */
export function standardChecks(host: GoNoGoHost, session: (name: string) => string): GoNoGoCheck[] {
  const played = once(async () => {
    if (host.react === undefined || host.rows === undefined) return undefined;
    const key = session("functional");
    const before = await host.rows(key);
    const turn = await host.react(key, { id: "go-no-go-1", text: "Go or no go?" });
    return { turn, isNew: before === undefined, bundle: await host.rows(key) };
  });
  const count = (of: (bundle: ContextBundle, executionId: string) => number) => async (): Promise<Measured> => {
    const found = await played();
    return found === undefined
      ? missing("react and rows")
      : { value: found.bundle === undefined ? 0 : of(found.bundle, found.turn.executionId) };
  };
  const cut = once(async () => host.cutAndResume?.(session("resume")));
  const functional = (
    bar: string,
    unit: string,
    of: (bundle: ContextBundle, executionId: string) => number,
    relation: "<=" | ">=" = ">=",
    bound = 1,
  ): GoNoGoCheck => ({
    bar,
    phase: "functional",
    unit,
    relation,
    bound,
    measure: count(of),
  });

  return [
    {
      bar: "new-session",
      phase: "functional",
      unit: "sessions",
      relation: ">=",
      bound: 1,
      async measure() {
        const found = await played();
        return found === undefined
          ? missing("react and rows")
          : { value: found.isNew && found.bundle !== undefined ? 1 : 0 };
      },
    },
    functional(
      "trigger",
      "triggers",
      ({ triggers = [] }, id) => triggers.filter(({ executionId }) => executionId === id).length,
    ),
    functional("context", "contexts", ({ context, executions }, id) =>
      executions.some((row) => row.id === id && row.contextId === context.id) ? 1 : 0,
    ),
    functional(
      "trigger-item",
      "items",
      ({ items }, id) => items.filter(({ kind, executionId }) => kind === "trigger" && executionId === id).length,
    ),
    functional(
      "reaction-item",
      "items",
      ({ items }, id) =>
        items.filter(
          ({ kind, executionId, status }) => kind === "reaction" && executionId === id && status === "completed",
        ).length,
    ),
    functional(
      "execution",
      "executions",
      ({ executions }, id) => executions.filter((row) => row.id === id && row.status === "completed").length,
    ),
    functional(
      "steps",
      "steps",
      ({ steps }, id) => steps.filter(({ executionId, status }) => executionId === id && status === "completed").length,
    ),
    functional("parts", "parts", ({ parts }, id) => parts.filter(({ executionId }) => executionId === id).length),
    functional("action-calls-merged", "calls", merged),
    functional("broken-links", "rows", (bundle) => verifyGraph(bundle, { settled: true }).length, "<=", 0),
    {
      bar: "legacy-without-flag",
      phase: "legacy",
      unit: "turns",
      relation: ">=",
      bound: 1,
      async measure() {
        if (host.withoutFlag === undefined) return missing("withoutFlag");
        const { engine, text } = await host.withoutFlag(session("legacy"), "Hello.");
        return { value: engine === "legacy" && text !== "" ? 1 : 0, note: `Served by ${engine}.` };
      },
    },
    {
      bar: "old-histories-readable",
      phase: "legacy",
      unit: "share",
      relation: ">=",
      bound: 1,
      async measure() {
        if (host.oldHistories === undefined) return missing("oldHistories");
        let all = 0;
        let whole = 0;
        for await (const { expectedItems, entries } of host.oldHistories()) {
          all++;
          const readable = entries.filter(({ item, parts }) => item.content.length > 0 || parts.length > 0).length;
          if (readable === expectedItems) whole++;
        }
        return all === 0
          ? { value: null, note: "There was no old conversation to read." }
          : { value: whole / all, note: `${whole} of ${all} conversations.` };
      },
    },
    {
      bar: "resume-losses",
      phase: "resume",
      unit: "rows",
      relation: "<=",
      bound: 0,
      async measure() {
        const found = await cut();
        if (found === undefined) return missing("cutAndResume");
        const lost = losses(found.before, found.after);
        return { value: lost.length, ...(lost.length > 0 && { note: lost.join("; ") }) };
      },
    },
    {
      bar: "events-correlated",
      phase: "traces",
      unit: "share",
      relation: ">=",
      bound: 1,
      async measure() {
        const found = await played();
        if (found?.bundle === undefined) return missing("react and rows");
        const { journal = [], context } = found.bundle;
        const told = journal.filter(
          ({ executionId, contextId }) => executionId === found.turn.executionId && contextId === context.id,
        ).length;
        return {
          value: journal.length === 0 ? 0 : told / journal.length,
          note: `${told} of ${journal.length} durable events name execution and context.`,
        };
      },
    },
    {
      bar: "spans-correlated",
      phase: "traces",
      unit: "share",
      relation: ">=",
      bound: 1,
      async measure() {
        const found = await played();
        if (host.spans === undefined || found === undefined) return missing("spans");
        const spans = await host.spans(found.turn.executionId);
        const correlated = spans.filter(
          (span: SeenSpan) =>
            span.executionId === found.turn.executionId &&
            span.contextId === found.turn.contextId &&
            span.runId !== undefined,
        ).length;
        return {
          value: spans.length === 0 ? 0 : correlated / spans.length,
          note: `${correlated} of ${spans.length} spans name execution, context and run.`,
        };
      },
    },
    {
      bar: "spans-complete",
      phase: "traces",
      unit: "share",
      relation: ">=",
      bound: 1,
      async measure() {
        const found = await played();
        if (host.spans === undefined || found?.bundle === undefined) return missing("spans, react and rows");
        const expected = expectedSpans(found.bundle, found.turn.executionId);
        const names = (await host.spans(found.turn.executionId)).map(({ name }) => name);
        const there = expected.filter((start) => {
          const index = names.findIndex((name) => name === start || name.startsWith(`${start} `));
          return index !== -1 && names.splice(index, 1).length === 1;
        }).length;
        return {
          value: there / expected.length,
          note: `${there} of ${expected.length} spans: the turn, its model's answers and its calls.`,
        };
      },
    },
    {
      bar: "resumed-traces",
      phase: "traces",
      unit: "traces",
      relation: "<=",
      bound: 1,
      async measure() {
        const found = await cut();
        if (host.spans === undefined || found === undefined) return missing("spans and cutAndResume");
        const spans = (await Promise.all(found.after.executions.map(({ id }) => host.spans!(id)))).flat();
        const traces = new Set(spans.map(({ traceId }) => traceId));
        if (spans.length === 0 || traces.has(undefined))
          return { value: null, note: `${spans.length} spans of the resumed turn, not all with a trace.` };
        return { value: traces.size, note: `${spans.length} spans, from before the cut and after it.` };
      },
    },
  ];
}

/** Calls with a result that their part shows as well. */
function merged({ calls, parts }: ContextBundle, executionId: string): number {
  return calls.filter((call) => {
    const content = parts.find(({ id }) => id === call.partId)?.content;
    return (
      call.executionId === executionId &&
      call.status === "succeeded" &&
      content?.kind === "action" &&
      content.status === "succeeded" &&
      canonicalJson(content.output ?? null) === canonicalJson(call.output)
    );
  }).length;
}

/** The beginnings of the names of the spans that a turn leaves. */
function expectedSpans({ steps, calls, executions }: ContextBundle, executionId: string): string[] {
  const mine = <T extends { executionId: string }>(rows: readonly T[]) =>
    rows.filter((row) => row.executionId === executionId);
  const { definition = "" } = executions.find(({ id }) => id === executionId) ?? {};
  return [
    `invoke_agent ${definition}`,
    ...mine(steps).map(() => "chat"),
    ...mine(calls).map(({ name }) => `execute_tool ${name}`),
  ];
}

/** What was on record at the cut and is not, or not any more so, in the end. */
function losses(before: ContextBundle, after: ContextBundle): string[] {
  const lost: string[] = [];
  for (const table of ["items", "executions", "steps", "parts", "calls"] as const) {
    const kept = new Set(after[table].map(({ id }) => id));
    for (const { id } of before[table]) if (!kept.has(id)) lost.push(`${table} ${id} is gone`);
  }
  for (const call of before.calls) {
    const now = after.calls.find(({ id }) => id === call.id);
    if (
      isTerminal(callStates, call.status) &&
      now !== undefined &&
      canonicalJson(now.output) !== canonicalJson(call.output)
    )
      lost.push(`the result of ${call.name} changed`);
  }
  for (const { id, status } of after.executions) if (status !== "completed") lost.push(`execution ${id} is ${status}`);
  lost.push(...verifyGraph(after, { settled: true }).map(({ rule, id }) => `${rule} ${id}`));
  return lost;
}
