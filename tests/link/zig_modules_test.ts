// Modules made from Zig, with its standard library inside.
import { programTests } from "../support/program_tests.ts";
import { ZIG } from "../support/programs.ts";

programTests("Zig: lists, tables, text, errors and thread-local variables", ZIG, [
  new URL("../../fixtures/zig/tour.smf", import.meta.url),
]);
