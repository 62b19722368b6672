export * from "./levenshtein_distance.ts";
