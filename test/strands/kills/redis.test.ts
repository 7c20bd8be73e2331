import { surviveKillsAndOutages } from "./kills.fixture.ts";

surviveKillsAndOutages("redis");
