import { assertEquals } from "@std/assert";
import {
  claimCapacity,
  claimExport,
  createClaims,
  isClaimed,
  isWithdrawn,
  restoreExport,
  withdrawExport,
} from "../../../src/module/share/claims.ts";

Deno.test("an export is claimed or withdrawn, never both, whoever comes first", () => {
  const claims = createClaims(3);
  assertEquals(claimCapacity(claims), 3);
  assertEquals([claimExport(claims, 0), withdrawExport(claims, 0)], [true, false]);
  assertEquals([withdrawExport(claims, 1), claimExport(claims, 1)], [true, false]);
  assertEquals([0, 1, 2].map((index) => isClaimed(claims, index)), [true, false, false]);
  assertEquals([0, 1, 2].map((index) => isWithdrawn(claims, index)), [false, true, false]);
  // Both may be done again, by others.
  assertEquals([claimExport(claims, 0), withdrawExport(claims, 1)], [true, true]);
});

Deno.test("an export that is restored can be claimed, and a claim is for ever", () => {
  const claims = createClaims(2);
  withdrawExport(claims, 0);
  restoreExport(claims, 0);
  assertEquals([isWithdrawn(claims, 0), claimExport(claims, 0)], [false, true]);
  restoreExport(claims, 0);
  assertEquals(isClaimed(claims, 0), true);
});
