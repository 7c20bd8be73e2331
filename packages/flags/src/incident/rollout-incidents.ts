import { createRedactor, digest, errorSignature, type JsonValue } from "@hebra/core";
import type { EvidenceRecord } from "../rollout/evidence.ts";
import type { GuardVerdict } from "../rollout/guards/types.ts";
import type { Postmortem } from "../rollout/state.ts";
import type { Incident, IncidentKind, IncidentSink, IncidentStore } from "./incident.ts";
import { postmortemDocument } from "./postmortem.ts";

const redactor = createRedactor();

/** The kind of a guard's finding. */
const kinds: Readonly<Record<string, IncidentKind>> = { critical: "critical-operation", unknown: "unknown-growth" };
const codeOf = (guard: string): string => `GUARD_${guard.toUpperCase().replaceAll("-", "_")}`;

/** A rollout as its incidents name it. */
export interface IncidentRollout {
  readonly flag: string;
  /** Version of the split. */
  readonly version: number;
  readonly enteredAt: number;
  /** Versions of both engines, as the host names them. */
  readonly engines?: { readonly legacy?: string; readonly new?: string };
}

function versionsOf({ engines = {} }: IncidentRollout): Record<string, string> {
  return Object.fromEntries(Object.entries(engines).filter(([, version]) => version !== undefined));
}

/** What a guard found. One id for one guard in one phase, whoever opens it and however often. */
export function guardIncident(rollout: IncidentRollout, { guard, action, reason, values }: GuardVerdict, now: number) {
  const incident: Incident = {
    id: digest([rollout.flag, guard, rollout.enteredAt]).slice(0, 32),
    kind: kinds[guard] ?? "guard",
    at: new Date(now).toISOString(),
    flag: rollout.flag,
    mode: "new",
    flagVersion: rollout.version,
    signature: errorSignature({ code: codeOf(guard), message: reason }, { component: rollout.flag }),
    decision: { action, matched: true, reason: redactor.redactText(reason), rule: `guard:${guard}` },
    versions: versionsOf(rollout),
    context: redactor.redact({ guard, values }),
    runbook: null,
  };
  return incident;
}

const listOf = (sink: IncidentSink): IncidentStore["list"] | undefined =>
  "list" in sink && typeof sink.list === "function" ? (sink as IncidentStore).list.bind(sink) : undefined;

/**
 * A rollback, with the draft of its postmortem and the latest failed turn of the new engine as its example. Its id is
 * the postmortem's, so that it may be written again.
 */
export async function rollbackIncident(
  rollout: IncidentRollout,
  postmortem: Postmortem,
  evidence: readonly EvidenceRecord[],
  sink: IncidentSink,
): Promise<Incident> {
  const { flag } = rollout;
  const record = evidence.find(({ sequence }) => sequence === postmortem.evidence);
  const since = new Date(Math.min(Date.parse(record?.since ?? ""), postmortem.openedAt) || 0).toISOString();
  const around = (await listOf(sink)?.({ flag, since, limit: 1_000 })) ?? [];
  const incidents = around.filter(({ kind }) => kind !== "rollback");
  const example = incidents.find(({ kind, mode }) => kind === "failed-turn" && mode === "new");
  const { org, project, session, executionId, contextId, traceId } = example ?? {};
  const ids = Object.fromEntries(
    Object.entries({ org, project, session, executionId, contextId, traceId }).filter(([, id]) => id !== undefined),
  );
  const cause = record?.cause;
  const guard = cause?.kind === "guard" ? cause.guard : undefined;
  const code = guard === undefined ? "ROLLED_BACK" : codeOf(guard);
  const context: JsonValue = redactor.redact({
    from: record?.from,
    evidence: postmortem.evidence,
    by: cause?.kind === "operator" ? cause.by : (guard ?? cause?.kind),
    dueAt: new Date(postmortem.dueAt).toISOString(),
    related: incidents.slice(0, 20).map(({ id }) => id),
  });
  return {
    id: postmortem.id,
    kind: "rollback",
    at: new Date(postmortem.openedAt).toISOString(),
    ...ids,
    flag,
    mode: "new",
    flagVersion: rollout.version,
    signature: errorSignature({ code, message: postmortem.summary }, { component: flag }),
    decision: {
      action: "rollback",
      matched: true,
      reason: redactor.redactText(record?.reason ?? postmortem.summary),
      rule: guard === undefined ? "operator" : `guard:${guard}`,
    },
    versions: versionsOf(rollout),
    context,
    runbook: null,
    postmortem: redactor.redactText(postmortemDocument({ flag, postmortem, evidence, incidents })),
  };
}
