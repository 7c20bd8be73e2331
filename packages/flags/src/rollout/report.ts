import { digest, HebraError } from "@hebra/core";

/** Items of evidence that are verdicts of a machine: a person's word is not enough for them. */
export const reportItems: readonly string[] = [
  "no-regression",
  "performance-baseline",
  "rollback-rehearsal",
  "go-no-go",
];

/** What was read off a report. */
export interface CheckedReport {
  readonly kind: string;
  /** The digest that the report carries, and that its content has. */
  readonly digest: string;
  /** ISO 8601 instant at which it was made. */
  readonly at: string;
}

/**
 * Checks a report as it was written to a file, by {@link validateNoRegression}, {@link perfBaseline},
 * {@link rehearseRollback} or the go/no-go suite: that its digest is its content's, and that its verdict is yes.
 *
 * @param item - the item of evidence that it is to stand for; a verdict of another kind is refused.
 * @throws HebraError `PARSE_ERROR` when it is no report, `EVIDENCE_TAMPERED` when it was changed after it was written,
 * `EVIDENCE_MISSING` when its verdict is no
 * or another item's
 */
export function checkReport(item: string, report: unknown): CheckedReport {
  const {
    digest: given,
    signature: _,
    ...content
  } = (typeof report === "object" && report !== null ? report : {}) as Record<string, unknown>;
  const { kind, at, ok, problems } = content;
  if (typeof given !== "string" || typeof kind !== "string" || typeof at !== "string" || typeof ok !== "boolean") {
    throw new HebraError(
      "PARSE_ERROR",
      `This is no report for \`${item}\`: it needs kind, at, ok and digest, as the commands that make reports write them.`,
      { details: { item } },
    );
  }
  if (digest(content) !== given)
    throw new HebraError(
      "EVIDENCE_TAMPERED",
      `The report for \`${item}\` was changed after it was written: its digest is not its content's. Run it again.`,
      { details: { item, digest: given } },
    );
  if (reportItems.includes(item) && kind !== item)
    throw new HebraError("EVIDENCE_MISSING", `A report of ${kind} says nothing about \`${item}\`.`, {
      details: { item, kind },
    });
  if (!ok) {
    const first = Array.isArray(problems) && typeof problems[0] === "string" ? ` ${problems[0]}` : "";
    throw new HebraError("EVIDENCE_MISSING", `The report for \`${item}\` says no.${first}`, {
      details: { item, digest: given },
    });
  }
  return { kind, digest: given, at };
}
