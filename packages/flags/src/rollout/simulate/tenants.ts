import type { Draws } from "./draws.ts";
import type { FilledScenario } from "./scenario.ts";

/** One customer of the simulated host. */
export interface Tenant {
  readonly id: string;
  /** How often its sessions fail, as a multiple of the mean. */
  readonly failingTimes: number;
  readonly latencyTimes: number;
  readonly costTimes: number;
}

/** Tenants of unequal size, each with rates of its own. The mean over all sessions stays what the scenario says. */
export function createTenants(draws: Draws, { tenants, skew, largest, tenantSpread }: FilledScenario["traffic"]) {
  const raw = Array.from({ length: tenants }, (_, rank) => 1 / (rank + 1) ** skew);
  const rest = raw.slice(1).reduce((sum, weight) => sum + weight, 0);
  if (largest !== undefined && rest > 0 && largest < 1) raw[0] = (rest * largest) / (1 - largest);
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  const spread = () => Math.exp(tenantSpread * draws.normal());
  const own = raw.map(() => ({ failing: spread(), latency: spread() ** 0.5, cost: spread() ** 0.5 }));
  const mean = own.reduce((sum, { failing }, at) => sum + (failing * raw[at]!) / total, 0);
  const all: Tenant[] = own.map(({ failing, latency, cost }, at) => ({
    id: `tenant-${at + 1}`,
    failingTimes: failing / mean,
    latencyTimes: latency,
    costTimes: cost,
  }));
  const upTo = raw.map((_, at) => raw.slice(0, at + 1).reduce((sum, weight) => sum + weight, 0) / total);
  return {
    /** A tenant, by size. */
    draw(): Tenant {
      const at = draws.uniform();
      const found = upTo.findIndex((edge) => at < edge);
      return all[found === -1 ? all.length - 1 : found]!;
    },
  };
}
