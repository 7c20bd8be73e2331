import { HebraError } from "@hebra/core";
import type { Reject } from "../mapping/transform.ts";
import type { Planned } from "./plan.ts";

/**
 * Checks that a plan moves something.
 *
 * @throws HebraError `PLAN_EMPTY` naming the fields or columns for which most rows were rejected
 */
export function assertMoves({ plan, rejects }: Planned, rejectsFile: string): void {
  if (plan.contexts.count > 0) return;
  const rows = plan.source.entities.map(({ entity, rows }) => `${rows} ${entity}`).join(", ");
  const causes = mainCauses(rejects);
  const why =
    causes.length === 0 ? "There is no conversation in it." : `${causes.join(" ")} All are in ${rejectsFile}.`;
  throw new HebraError("PLAN_EMPTY", `The plan would move nothing. The source holds ${rows}. ${why}`, {
    details: { rows: Object.fromEntries(plan.source.entities.map(({ entity, rows }) => [entity, rows])) },
  });
}

/** The three most frequent causes, orphans last: they only follow from others. */
function mainCauses(rejects: readonly Reject[]): string[] {
  const causes = new Map<string, { count: number; first: Reject }>();
  for (const reject of rejects) {
    const path = reject.path.startsWith("line ") ? "line" : reject.path;
    const name = `${reject.entity} ${reject.code} ${path}`;
    const known = causes.get(name);
    if (known === undefined) causes.set(name, { count: 1, first: reject });
    else known.count++;
  }
  const orphaned = (code: string) => (code === "ROW_ORPHANED" ? 1 : 0);
  return [...causes.values()]
    .sort((a, b) => orphaned(a.first.code) - orphaned(b.first.code) || b.count - a.count)
    .slice(0, 3)
    .map(
      ({ count, first }) => `${first.code}: ${count} of ${first.entity} at \`${first.path}\`, e.g. ${first.detail}.`,
    );
}
