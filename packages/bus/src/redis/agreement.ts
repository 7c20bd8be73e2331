import { HebraError } from "@hebra/core";
import { encodeTenant, tenantLimits } from "../bus-options.ts";
import { agree } from "./config.ts";
import { partitionTags } from "./partitions.ts";
import { wrapRedisError } from "./run.ts";
import { correctCounts } from "./recount.ts";
import { noteAnswer, pause, readServerTime, runAdmin, type RedisState } from "./state.ts";

/** Polling interval for the shared configuration, in milliseconds. It also shows that the server is there. */
const POLL_MS = 2_000;

/** Reads what the processes of the namespace agree on. @throws HebraError `INVALID_OPTIONS`, `UPGRADE_REQUIRED` */
export async function readAgreement(state: RedisState, first: boolean): Promise<void> {
  const { options, commands } = state;
  const partitions = async (): Promise<number> => {
    if (options.partitions !== undefined || !first) return options.partitions ?? state.config.partitions;
    const masters = await commands.masters();
    return masters > 1 ? 2 * masters : 1;
  };
  const found = await agree(commands, state.run, options.namespace, { partitions, newest: options.newestFormat });
  if (first) {
    if (options.partitions !== undefined && options.partitions !== found.partitions) {
      throw new HebraError(
        "INVALID_OPTIONS",
        `redisBus: the namespace ${options.namespace} has ${found.partitions} partitions, not ${options.partitions}. The number is fixed by the first process.`,
      );
    }
    state.roots = partitionTags(found.partitions).map((tag) => `${options.namespace}:{${tag}}:`);
  } else if (found.partitions !== state.config.partitions) {
    throw new HebraError(
      "INVALID_OPTIONS",
      `redisBus: the namespace ${options.namespace} was set up anew with ${found.partitions} partitions. Restart this process.`,
    );
  }
  state.config = found;
  await readServerTime(state);
  if (first || found.fresh) await writeLimits(state);
}

/** Polls the agreement until the backend is closed. */
export async function pollAgreement(state: RedisState): Promise<void> {
  while (!state.closing.signal.aborted) {
    await pause(POLL_MS);
    if (state.closing.signal.aborted) return;
    await readAgreement(state, false).then(
      () => {
        state.listener?.health("ready");
        // A later round tries again.
        void correctCounts(state).catch(() => undefined);
      },
      (error: unknown) => {
        if (HebraError.isInstance(error) && error.code === "UPGRADE_REQUIRED")
          state.listener?.health("upgrade-required", error);
        else noteAnswer(state, wrapRedisError(error));
      },
    );
  }
}

async function writeLimits(state: RedisState): Promise<void> {
  const { settings } = state.options;
  if (settings.tenants === undefined) return;
  const names = Object.keys(settings.tenants.byTenant ?? {});
  const limitsOf = tenantLimits(settings, encodeTenant, state.config.partitions)!;
  const pairs = [...names.map(encodeTenant), "*"].flatMap((tenant) => {
    const { weight, maxInFlight = "", perMinute = "", burst } = limitsOf(tenant);
    return [tenant, `${weight}:${maxInFlight}:${perMinute}:${burst}`];
  });
  await Promise.all(state.roots.map((_, partition) => runAdmin(state, partition, "in", ["limits", ...pairs])));
}
