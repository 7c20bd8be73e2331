import { isDeepStrictEqual } from "node:util";
import type { ContextBundle } from "@hebra/thread";
import { verifyGraph } from "@hebra/thread/testing";
import type { Line } from "./records.ts";
import { effects, triggers } from "./turn.ts";

/** One rule that was broken. */
export interface Violation {
  rule: string;
  detail: string;
}

/** What is known of one thread. */
export interface Evidence {
  /** Its rows when the first process was dead. */
  before: ContextBundle | undefined;
  /** Its rows in the end. */
  after: ContextBundle | undefined;
  /** What both processes did in it, as they said themselves. */
  lines: readonly Line[];
}

const CUT_OFF = /Whether it took effect is unknown/;
const MASKED = /cut off; whether it took effect is unknown/;

/** Checks everything that must hold after a crash and a recovery. */
export function judge({ before, after, lines }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const broken = (rule: string, detail: string) => void violations.push({ rule, detail });
  if (after === undefined) return [{ rule: "trigger-lost", detail: "the thread is not there" }];
  const effectsOf = (key: string, run?: Line["run"]) =>
    lines.filter((line) => line.event === "effect" && line.key === key && (run === undefined || line.run === run))
      .length;
  const asked = lines.flatMap((line) => (line.event === "model" ? [line] : []));

  for (const line of lines) {
    if (line.event !== "acknowledged" || line.run !== "first") continue;
    if (before?.executions.some(({ triggerId }) => triggerId === line.triggerId) !== true)
      broken("trigger-lost", `${line.triggerId} was acknowledged and not in the store`);
  }
  for (const triggerId of Object.keys(triggers)) {
    const made = after.executions.filter((row) => row.triggerId === triggerId);
    if (made.length === 1 && made[0]!.status === "completed") continue;
    broken(
      triggerId === "m3" ? "following-turn" : "trigger-lost",
      `${triggerId} has ${made.length} executions, ${made.map(({ status, outcome }) => `${status} (${outcome})`).join(", ")}`,
    );
  }

  for (const step of before?.steps ?? []) {
    const again = asked.some(
      (line) => line.run === "second" && line.executionId === step.executionId && line.iteration === step.iteration,
    );
    if (step.finishReason !== null && again) broken("answer-asked-twice", `iteration ${step.iteration}`);
  }

  for (const call of before?.calls ?? []) {
    const now = after.calls.find(({ id }) => id === call.id);
    const effect = effects[call.name]!;
    if (call.status === "succeeded") {
      if (effectsOf(call.idempotencyKey, "second") > 0) broken("call-repeated", call.name);
      if (now?.status !== "succeeded" || !isDeepStrictEqual(now.output, call.output))
        broken("result-lost", `${call.name} is ${now?.status}`);
    }
    if (call.status !== "running") continue;
    if (effect === "write") {
      if (effectsOf(call.idempotencyKey, "second") > 0) broken("write-repeated", call.name);
      if (now?.status !== "interrupted") broken("write-not-interrupted", `${call.name} is ${now?.status}`);
      const later = asked.filter((line) => line.run === "second" && line.executionId === call.executionId);
      const told = later.some(({ transcript }) =>
        transcript.some(({ parts }) =>
          parts.some(
            (part) =>
              part.kind === "action" &&
              part.callId === call.callId &&
              part.status === "failed" &&
              CUT_OFF.test(part.error ?? ""),
          ),
        ),
      );
      if (!told) broken("model-not-told", call.name);
    } else {
      const mine = lines.filter(
        (line) => line.event === "effect" && line.run === "second" && line.callId === call.callId,
      );
      if (mine.length === 0 || now?.status !== "succeeded")
        broken("call-not-run-again", `${call.name} is ${now?.status}`);
    }
  }

  for (const call of after.calls) {
    for (const line of lines)
      if (line.event === "effect" && line.callId === call.callId && line.key !== call.idempotencyKey)
        broken("key-changed", `${call.name} ran under another key in the ${line.run} process`);
    if (
      effects[call.name] === "write" &&
      lines.filter((line) => line.event === "effect" && line.callId === call.callId).length > 1
    )
      broken("effect-twice", call.name);
    if (call.status === "succeeded" && !lines.some((line) => line.event === "effect" && line.callId === call.callId))
      broken("result-invented", call.name);
  }

  const keys = new Map<string, Set<string>>();
  for (const line of lines)
    if (line.event === "effect") keys.set(line.callId, (keys.get(line.callId) ?? new Set()).add(line.key));
  for (const [callId, used] of keys) if (used.size > 1) broken("key-changed", `${callId} ran under ${used.size} keys`);

  for (const { iteration, transcript, run } of asked) {
    for (const { parts } of transcript) {
      for (const part of parts) {
        if (part.kind !== "action") continue;
        const open = part.status !== "succeeded" && part.status !== "failed";
        if (open || (part.status === "failed" && MASKED.test(part.error ?? "")))
          broken("history-unsettled", `${part.name}, shown to iteration ${iteration} in the ${run} process`);
      }
    }
  }

  const done = after.calls.filter(({ status }) => status === "succeeded").map(({ name }) => [name, 1] as const);
  if (!isDeepStrictEqual(after.context.state, Object.fromEntries(done)))
    broken("state-wrong", JSON.stringify(after.context.state));
  for (const { rule, id, detail } of verifyGraph(after, { settled: true }))
    broken("rows-broken", `${rule} ${id}: ${detail}`);
  const seqs = (after.journal ?? []).map(({ seq }) => seq);
  if (seqs.some((seq, i) => seq !== i + 1)) broken("rows-broken", `the journal has gaps or doubles: ${seqs.join(",")}`);
  return violations;
}
