import type { Program } from "@hebra/cli-kit";
import { migrateTable } from "./commands.ts";

/** The same commands as `hebra migrate`, for those who install this package alone. */
export const program: Program = {
  name: "hebra-migrate",
  summary: "Moves a live product's conversations from the old engine's rows to threads.",
  commands: migrateTable(""),
  details: ["The usual order is plan, read the plan and its rejects, apply, verify."],
  examples: [["plan --source ./export --target ./desk.sqlite", "the first step"]],
};
