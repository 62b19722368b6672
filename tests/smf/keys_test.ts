// Keys for signatures, in their two forms. The examples are those of RFC 8410 (section 10) and RFC 8032 (7.1).
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { parsePrivateKey, parsePublicKey, publicKeyInfo, publicKeyText, toPem } from "../../src/smf/keys.ts";
import { assertLoadError } from "../support/testing.ts";

const encodeHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const PUBLIC = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----`;
const PRIVATE = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`;
const TEXT = "ed25519-11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

Deno.test("public keys are read from their text and from PEM", () => {
  const key = parsePublicKey(PUBLIC);
  assertEquals(encodeHex(key), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
  assertEquals(publicKeyText(key), "ed25519-Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
  assertEquals(parsePublicKey(` ${publicKeyText(key)}\n`), key);
  assertEquals(toPem(publicKeyInfo(key), "PUBLIC KEY").trim(), PUBLIC);
  assertEquals(
    encodeHex(parsePublicKey(TEXT)),
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  );
});

Deno.test("anything else is no public key", () => {
  const cases: readonly (readonly [text: string, problem: string])[] = [
    ["", "is not 'ed25519-'"],
    ["ed25519-", "is not 'ed25519-'"],
    [TEXT.slice(0, -1), "is not 'ed25519-'"],
    // Another text of the same bytes.
    [TEXT.replace("Ro=", "Rp="), "is not 'ed25519-'"],
    ["sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "is not 'ed25519-'"],
    [PRIVATE, "it is a PRIVATE KEY, not a PUBLIC KEY"],
    [PUBLIC.replace("MCow", "MCox"), "not one of Ed25519"],
    ["-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "it is not in PEM"],
    ["-----BEGIN PUBLIC KEY-----\nMCow*\n-----END PUBLIC KEY-----", "it is not in PEM"],
    ["-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "not one of Ed25519"],
  ];
  for (const [text, problem] of cases) {
    const { message } = assertLoadError(() => parsePublicKey(text), "InvalidKey");
    assertStringIncludes(message, problem, text);
  }
});

Deno.test("private keys are read from PEM; those of other algorithms are refused", async () => {
  const key = await parsePrivateKey(PRIVATE);
  assertEquals((await crypto.subtle.exportKey("jwk", key)).x, "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
  const { privateKey } = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const other = toPem(new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey)), "PRIVATE KEY");
  for (const text of [other, PUBLIC, "", PRIVATE.replace("MC4C", "MC4D")]) {
    const error = await assertRejects(() => parsePrivateKey(text), LoadError);
    assertEquals(error.kind, "InvalidKey", text);
  }
});
