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
