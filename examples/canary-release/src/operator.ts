import type { ManualClock } from "@hebra/core";
import type { IncidentStore } from "@hebra/flags/incident";
import type { RolloutCommand, RolloutService } from "@hebra/flags/rollout";
import { FLAG } from "./deployment.ts";

/** A command without its signature. */
export type Command = RolloutCommand extends infer Each
  ? Each extends RolloutCommand
    ? Omit<Each, "by" | "reason">
    : never
  : never;

/** What an operator types and sees: the commands of `hebra rollout`, and the figures of `hebra flags watch`. */
export function createOperator(service: RolloutService, incidents: IncidentStore, clock: ManualClock) {
  const began = clock.now();
  const line = (text: string) => console.log(text);
  return {
    say: (text: string) => line(`\n${text}`),
    /** Takes an edge or leaves a record. */
    async act(command: Command, by = "ana"): Promise<void> {
      const { phase } = await service.act(FLAG, { by, reason: "see the runbook", ...command } as RolloutCommand);
      line(`$ hebra rollout ${command.event} ${FLAG}   # ${by}: ${phase.name}`);
    },
    /** Where the rollout stands. */
    async look(): Promise<void> {
      const { phase, share, gathered, report, state, edges } = await service.status(FLAG);
      const hours = ((clock.now() - began) / 3_600_000).toFixed(1);
      line(`  ${hours} h  ${phase}, ${(share * 100).toFixed(0)} % on the new engine`);
      for (const [name, arm] of [
        ["new", gathered.new],
        ["legacy", gathered.legacy],
      ] as const)
        line(`    ${name.padEnd(6)} ${arm.judged} sessions judged, ${arm.failed} failing`);
      if (state.phase.name === "rolledBack") line(`    ${(await service.store.evidence(FLAG)).at(-1)!.reason}`);
      for (const { guard, answer, reason } of report.verdicts)
        if (answer === "breach") line(`    guard ${guard}: ${reason}`);
      for (const { event, missing } of edges)
        if (event === "advance" && missing.length > 0)
          line(`    next step waits for: ${missing.map(({ item }) => item).join(", ")}`);
      for (const { id, closedAt } of state.postmortems)
        if (closedAt === undefined) line(`    postmortem ${id} is open`);
      const kinds = (await incidents.list({})).map(({ kind }) => kind);
      if (kinds.length > 0) line(`    incidents: ${[...new Set(kinds)].join(", ")} (${kinds.length})`);
    },
  };
}
