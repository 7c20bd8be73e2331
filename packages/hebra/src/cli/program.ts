import type { Program } from "@hebra/cli-kit";
import { flagCommands, incidentCommands, rolloutCommands } from "@hebra/flags/cli";
import { migrateCommands } from "@hebra/migrate/cli";
import { commands } from "./commands.ts";

/** The whole command line of `hebra`. */
export const program = {
  name: "hebra",
  summary: "Runs conversations in one process or in many, decides which engine serves them, and moves them.",
  commands: {
    ...commands,
    flags: { summary: "Which engine serves: read, set, kill, explain, watch flags.", commands: flagCommands },
    rollout: {
      summary: "Moves a rollout, or records evidence for its next step.",
      commands: rolloutCommands,
    },
    incidents: { summary: "Lists, shows and closes incidents.", commands: incidentCommands },
    migrate: { summary: "Moves conversations from the old engine's rows to threads.", commands: migrateCommands },
  },
  details: [
    "`flags`, `rollout` and `incidents` talk to the admin handler of @hebra/flags/admin: set HEBRA_FLAGS_URL and HEBRA_FLAGS_TOKEN.",
  ],
  examples: [
    ["chat --app ./app.js", "talk to an app"],
    ["gateway --app ./app.js --port 8080", "serve it"],
    ["help rollout advance", "explain one command"],
  ],
} as const satisfies Program;
