import { surviveKillsAndOutages } from "./kills.fixture.ts";

surviveKillsAndOutages("sqlite");
