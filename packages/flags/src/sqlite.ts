export {
  sqliteIncidents,
  type IncidentsSqliteDatabase,
  type SqliteIncidentsOptions,
} from "./incident/sqlite-incidents.ts";
