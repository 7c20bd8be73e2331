export {
  postgresAssignments,
  type AssignmentsPostgresPool,
  type PostgresAssignmentsOptions,
} from "./route/postgres-assignments.ts";
export {
  postgresRolloutStore,
  type PostgresRolloutStoreOptions,
  type RolloutPostgresClient,
  type RolloutPostgresPool,
} from "./rollout/store/postgres.ts";
