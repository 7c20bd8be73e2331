import { errorCode } from "@hebra/core";
import type { Flags } from "../client/create-flags.ts";
import { reaches } from "../evaluate/effective.ts";
import type { Assigned, Decision, FlagContext, Mode } from "../evaluate/types.ts";

/** What somebody else's flag system wants for a session: an OFREP server, any OpenFeature provider. May reject. */
export type RemoteTarget = (flag: string, context: FlagContext) => Promise<Mode>;

/**
 * A remote target under the local state: never further than what kill, breaker, lists and percentages here allow. A
 * flag that no document here holds is
 * capped by kills and the breaker alone.
 *
 * When the remote side cannot be asked, a session that has the new engine keeps it and others get legacy. A session
 * that has the new engine
 * and whose target is legacy now is cut: vendors ramp without taking anybody back, so this is a rollback.
 *
 * @returns a decision; never rejects
 */
export async function decideWithTarget(
  flags: Flags,
  target: RemoteTarget,
  flag: string,
  context: FlagContext,
  assigned?: Assigned,
): Promise<Decision> {
  const local = flags.decide(flag, context, assigned);
  const uncapped = local.ruleId === "not-found";
  if (local.mode === "legacy" && !uncapped) return local;
  const limit = uncapped ? "new" : local.mode;
  try {
    const wanted = await target(flag, context);
    if (!uncapped && reaches(wanted, limit)) return local;
    return {
      ...local,
      mode: wanted,
      reason: "TARGETING_MATCH",
      ruleId: "targeting",
      arm: undefined,
      errorCode: undefined,
    };
  } catch (error) {
    if (assigned !== undefined)
      return uncapped
        ? {
            ...local,
            mode: assigned.mode,
            reason: "ASSIGNED",
            ruleId: "assigned",
            arm: assigned.arm,
            errorCode: undefined,
          }
        : local;
    return {
      ...local,
      mode: "legacy",
      reason: "ERROR",
      ruleId: "failed",
      arm: undefined,
      errorCode: errorCode(error) ?? "GENERAL",
    };
  }
}
