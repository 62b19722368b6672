import { assertEquals, assertThrows } from "@std/assert";
import { fromBase64, fromHex, hexBytes, toBase64 } from "./digits.ts";

const ALL = Uint8Array.from({ length: 256 }, (_, byte) => byte);

Deno.test("all bytes come back from their digits", () => {
  for (const bytes of [ALL, ALL.subarray(1), ALL.subarray(2), new Uint8Array()]) {
    assertEquals(fromHex(hexBytes(bytes)), bytes);
    assertEquals(fromBase64(toBase64(bytes)), bytes);
  }
});

// RFC 4648, section 10.
Deno.test("digits are those of the standard", () => {
  const text = new TextEncoder().encode("fooba");
  assertEquals([hexBytes(text), toBase64(text)], ["666f6f6261", "Zm9vYmE="]);
  assertEquals([fromHex("666F6f6261"), fromBase64("Zm9vYmE=")], [text, text]);
});

Deno.test("other characters than digits, and half a byte, are refused", () => {
  for (const digits of ["0g", "0", "0 1", "-1"]) assertThrows(() => fromHex(digits), SyntaxError);
  assertThrows(() => fromBase64("*"));
});
