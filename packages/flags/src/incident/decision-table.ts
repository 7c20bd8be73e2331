import { parseOptions, type ErrorSignature } from "@hebra/core";
import * as z from "zod";
import { UNMATCHED, type IncidentDecision } from "./incident.ts";

/** One row: what must fit, what is done, where it is written down. */
export interface DecisionRule {
  readonly id: string;
  /** All that are given must fit. */
  readonly when: {
    /** Codes; a trailing `*` stands for any ending. */
    readonly code?: string | readonly string[];
    readonly component?: string | readonly string[];
    readonly fingerprint?: string;
  };
  /** `retry`, `page`, `ignore` … */
  readonly action: string;
  readonly reason: string;
  readonly runbook?: string;
}

/** Decides about incidents. */
export interface DecisionTable {
  /** The first rule that fits; `__UNMATCHED__` when none does, never nothing. */
  decide(signature: ErrorSignature): { readonly decision: IncidentDecision; readonly runbook: string | null };
}

const oneOrMore = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const schema = z.array(
  z.strictObject({
    id: z.string().min(1),
    when: z.strictObject({ code: oneOrMore, component: oneOrMore, fingerprint: z.string().min(1) }).partial(),
    action: z
      .string()
      .min(1)
      .refine((action) => action !== UNMATCHED, `must not be ${UNMATCHED}`),
    reason: z.string().min(1),
    runbook: z.string().min(1).optional(),
  }),
);

const fits = (patterns: string | readonly string[] | undefined, value: string): boolean =>
  patterns === undefined ||
  [patterns]
    .flat()
    .some((pattern) => (pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern));

/**
 * A table from code to runbook. A code of `UNKNOWN` never fits a wildcard: an error without identity is nobody's.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { errorSignature } from "@hebra/core";
 * import { createDecisionTable } from "@hebra/flags/incident";
 *
 * const when = { code: ["ENOTFOUND", "EAI_AGAIN"] };
 * const table = createDecisionTable([
 *   { id: "dns", when, action: "retry", reason: "name resolution", runbook: "runbooks/dns.md" },
 * ]);
 * const { decision } = table.decide(errorSignature(new Error("odd"), { component: "ingest" }));
 * console.log(decision.action); // __UNMATCHED__
 * ```
 */
export function createDecisionTable(rules: readonly DecisionRule[]): DecisionTable {
  const parsed = parseOptions("createDecisionTable", schema, rules);
  return {
    decide(signature) {
      const rule = parsed.find(
        ({ when }) =>
          fits(
            signature.code === "UNKNOWN" &&
              [when.code ?? []].flat().every((code) => code.endsWith("*")) &&
              when.code !== undefined
              ? []
              : when.code,
            signature.code,
          ) &&
          fits(when.component, signature.component) &&
          (when.fingerprint === undefined || when.fingerprint === signature.fingerprint),
      );
      if (rule === undefined)
        return {
          decision: { action: UNMATCHED, matched: false, reason: `No rule knows the code ${signature.code}.` },
          runbook: null,
        };
      return {
        decision: { action: rule.action, matched: true, reason: rule.reason, rule: rule.id },
        runbook: rule.runbook ?? null,
      };
    },
  };
}
