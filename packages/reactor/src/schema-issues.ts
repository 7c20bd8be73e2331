import { describeIssues, errorMessage, redactText, validateStandard, type StandardSchema } from "@hebra/core";

type Issues = { message: string; path?: PropertyKey[] }[];

/** `items[0].name: message`, for each issue that an error of a validator holds; else the error's own message. */
export function issueLines(error: unknown): string[] {
  const issues = findIssues(error, 3);
  if (issues === undefined) return [redactText(errorMessage(error))];
  // Reported as a schema would, so that core alone decides how issues are written.
  const schema: StandardSchema = { "~standard": { version: 1, vendor: "error", validate: () => ({ issues }) } };
  const result = validateStandard(schema, undefined);
  return "ok" in result && !result.ok ? result.issues.map((issue) => describeIssues([issue])) : [];
}

/** Looks for a list of issues in the thing, its `issues`, and its causes: the AI SDK wraps what validators report. */
function findIssues(value: unknown, depth: number): Issues | undefined {
  if (depth === 0 || typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return value.length > 0 && value.every(isIssue) ? (value as Issues) : undefined;
  const { issues, cause } = value as { issues?: unknown; cause?: unknown };
  return findIssues(issues, depth - 1) ?? findIssues(cause, depth - 1);
}

function isIssue(value: unknown): boolean {
  return typeof (value as { message?: unknown } | null)?.message === "string";
}
