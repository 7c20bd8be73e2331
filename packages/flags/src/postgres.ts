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
export {
  postgresIncidents,
  type IncidentsPostgresPool,
  type PostgresIncidentsOptions,
} from "./incident/postgres-incidents.ts";
export type { FlagsPostgresClient, FlagsPostgresPool, PostgresFlagsOptions } from "./provider/postgres/connection.ts";
export { postgresProvider, type PostgresProviderOptions } from "./provider/postgres/postgres-provider.ts";
export { postgresFlagWriter, type PostgresFlagWriter } from "./provider/postgres/postgres-writer.ts";
