import { HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import { defaultGuardLimits, type GuardLimits, type GuardName } from "./guards/types.ts";
import { guardNames, windowSchema, type ApprovalRole, type LowImpactWindow, type RolloutPlan } from "./plan.ts";
import { inWindow } from "./window.ts";

/** What one flag's plans and commands must keep to, whatever a caller asks for. */
export interface FlagPolicy {
  /** Names of the people who may give a command, by command; a command that is not listed is open to its role. */
  readonly may?: Readonly<Record<string, readonly string[]>>;
  /** Signatures that a plan must ask for before the whole traffic. @defaultValue `["technical", "operational"]` */
  readonly approvals?: readonly ApprovalRole[];
  /** Guards that a plan must require. @defaultValue `["errors", "latency"]` */
  readonly requiredGuards?: readonly GuardName[];
  /** Guards that a plan may switch off. @defaultValue none */
  readonly mayDisable?: readonly GuardName[];
  /** Least time in shadow that a plan must ask for, ms. @defaultValue 0 */
  readonly leastShadowMs?: number;
  /** Fewest compared turns that a plan must ask for. @defaultValue 0 */
  readonly minCompared?: number;
  /**
   * Items of evidence that a plan must ask for before the whole traffic, `name×3` for three records. @defaultValue
   * none
   */
  readonly evidence?: readonly string[];
  /** When no edge forward may be taken. @defaultValue never */
  readonly freeze?: readonly LowImpactWindow[];
  /**
   * Share that a change of the flag document may give to the new engine without a rollout, percent. @defaultValue
   * 10
   */
  readonly maxPercent?: number;
}

/** Who may do what for which flag: a document on the server, which no caller can loosen. */
export interface RolloutPolicy {
  /** Raise it with each change: it goes into the evidence. */
  readonly version: number;
  /** By flag; `"*"` stands for flags that are not listed. */
  readonly flags: Readonly<Record<string, FlagPolicy>>;
}

const schema = z.strictObject({
  version: z.int().min(1),
  flags: z.record(
    z.string().min(1),
    z.strictObject({
      may: z.record(z.string(), z.array(z.string().min(1))).optional(),
      approvals: z.array(z.enum(["technical", "operational"])).optional(),
      requiredGuards: z.array(z.enum(guardNames)).optional(),
      mayDisable: z.array(z.enum(guardNames)).optional(),
      leastShadowMs: z.number().min(0).optional(),
      minCompared: z.int().min(0).optional(),
      evidence: z.array(z.string().min(1)).optional(),
      freeze: z.array(windowSchema).optional(),
      maxPercent: z.number().min(0).max(100).optional(),
    }),
  ),
});

/** In force where the host gives no policy to the admin. */
export const defaultPolicy: RolloutPolicy = { version: 1, flags: {} };

/** @throws HebraError `INVALID_OPTIONS` */
export function parsePolicy(input: RolloutPolicy): RolloutPolicy {
  return parseOptions("policy", schema, input) as RolloutPolicy;
}

/** The entry of one flag, with every default. */
export function policyOf(policy: RolloutPolicy, flag: string): Required<FlagPolicy> {
  const own = Object.hasOwn(policy.flags, flag) ? policy.flags[flag] : policy.flags["*"];
  return {
    may: {},
    approvals: ["technical", "operational"],
    requiredGuards: ["errors", "latency"],
    mayDisable: [],
    leastShadowMs: 0,
    minCompared: 0,
    evidence: [],
    freeze: [],
    maxPercent: 10,
    ...own,
  };
}

/** Lines that a plan may draw tighter than the default, never wider. */
const tightest: readonly (keyof GuardLimits)[] = [
  "pauseAt",
  "rollbackAt",
  "ratio",
  "latencyRatio",
  "sessions",
  "costRatio",
  "stepsRatio",
  "baselineShare",
  "baselineAt",
  "sampleRatioAt",
  "silenceAt",
  "criticalCalls",
];

/** In what a plan is laxer than the policy. */
function laxities(own: Required<FlagPolicy>, { limits, shadow, full }: RolloutPlan): string[] {
  const lacking = <T extends string>(needed: readonly T[], given: readonly string[] = []) =>
    needed.filter((one) => !given.includes(one));
  return [
    ...lacking(own.approvals, full.approvals).map((role) => `\`full.approvals\` lacks ${role}`),
    ...lacking(own.requiredGuards, limits.required).map((guard) => `\`limits.required\` lacks ${guard}`),
    ...limits.disabled
      .filter((guard) => !own.mayDisable.includes(guard))
      .map((guard) => `the guard ${guard} is disabled`),
    ...lacking(own.evidence, full.evidence).map((item) => `\`full.evidence\` lacks ${item}`),
    ...(shadow.leastMs < own.leastShadowMs ? [`\`shadow.leastMs\` is under ${own.leastShadowMs}`] : []),
    ...(shadow.minCompared < own.minCompared ? [`\`shadow.minCompared\` is under ${own.minCompared}`] : []),
    ...tightest
      .filter((name) => (limits[name] as number) > (defaultGuardLimits[name] as number))
      .map((name) => `\`limits.${name}\` is over ${String(defaultGuardLimits[name])}`),
  ];
}

/** @throws HebraError `POLICY_REFUSED` when a plan is laxer than the policy; `details.problems` has every reason. */
export function checkPlan(policy: RolloutPolicy, flag: string, plan: RolloutPlan): void {
  const problems = laxities(policyOf(policy, flag), plan);
  if (problems.length > 0)
    throw new HebraError(
      "POLICY_REFUSED",
      `The policy (version ${policy.version}) refuses this plan of ${flag}: ${problems.join("; ")}. A plan can be stricter than the policy, never laxer.`,
      { details: { problems } },
    );
}

/** @throws HebraError `FORBIDDEN` when the command is left to others, `POLICY_REFUSED` in a freeze. */
export function checkCommand(policy: RolloutPolicy, flag: string, command: string, by: string, now: number): void {
  const { may, freeze } = policyOf(policy, flag);
  if (Object.hasOwn(may, command) && !may[command]!.includes(by))
    throw new HebraError(
      "FORBIDDEN",
      `The policy (version ${policy.version}) leaves \`${command}\` of ${flag} to others.`,
    );
  const forward = command === "advance" || command === "cutover" || command === "start" || command === "retire";
  const frozen = forward ? freeze.find((window) => inWindow(window, now)) : undefined;
  if (frozen !== undefined)
    throw new HebraError(
      "POLICY_REFUSED",
      `The policy freezes ${flag} from ${frozen.from} to ${frozen.to} ${frozen.timeZone ?? "UTC"}; \`${command}\` waits until then.`,
    );
}
