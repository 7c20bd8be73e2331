import type { Program } from "@hebra/cli-kit";
import { flagTable, incidentTable, rolloutTable } from "./commands.ts";

/** The same commands as `hebra flags` and `hebra rollout`, for those who install this package alone. */
export const program: Program = {
  name: "hebra-flags",
  summary: "Decides which engine serves, and moves rollouts.",
  commands: {
    ...flagTable(""),
    rollout: { summary: "Moves a rollout, or records evidence for its next step.", commands: rolloutTable },
    incidents: { summary: "Lists, shows and closes incidents.", commands: incidentTable },
  },
  details: [
    "Most commands talk to the admin handler of @hebra/flags/admin: set HEBRA_FLAGS_URL and HEBRA_FLAGS_TOKEN. simulate, validate-no-regression and perf-baseline need none.",
  ],
  examples: [["list", "all flags"]],
};
