import { errorMessage } from "@hebra/core";

type PathSegment = PropertyKey | { readonly key: PropertyKey };

interface Issue {
  readonly message: string;
  readonly path?: readonly PathSegment[];
}

/** `items.0.name: message`, for each issue of a validation result or error of any library; else the error's own message. */
export function issueLines(failure: unknown): string[] {
  const issues = findIssues(failure, 3);
  if (issues === undefined) return [errorMessage(failure)];
  return issues.map(({ path = [], message }) => (path.length === 0 ? message : `${path.map(segmentName).join(".")}: ${message}`));
}

/** Looks for a list of issues in the thing, its `issues`, and its causes: the AI SDK wraps what validators report. */
function findIssues(value: unknown, depth: number): readonly Issue[] | undefined {
  if (depth === 0 || typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return value.length > 0 && value.every(isIssue) ? value : undefined;
  const { issues, cause } = value as { issues?: unknown; cause?: unknown };
  return findIssues(issues, depth - 1) ?? findIssues(cause, depth - 1);
}

function isIssue(value: unknown): value is Issue {
  return typeof (value as { message?: unknown } | null)?.message === "string";
}

function segmentName(segment: PathSegment): string {
  return String(typeof segment === "object" ? segment.key : segment);
}
