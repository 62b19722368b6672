// Signatures: every byte of a file counts, but those of signatures and the header's hash.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { parsePublicKey, publicKeyText } from "../../src/smf/keys.ts";
import { type LayoutName, LAYOUTS } from "../../src/smf/layout.ts";
import { makeKeys, signModule } from "../../src/smf/sign.ts";
import { readSignatures, signaturesBytes } from "../../src/smf/signatures.ts";
import { TrustedKeys } from "../../src/smf/trust.ts";
import { assertLoadError, hostBuilder } from "../support/testing.ts";

const [ONE, TWO, THREE] = [await makeKeys(), await makeKeys(), await makeKeys()];
const textOf = ({ publicKey }: typeof ONE) => publicKeyText(parsePublicKey(publicKey));
const trusting = (...keys: (typeof ONE)[]) => new TrustedKeys(keys.map(({ publicKey }) => publicKey));

/** A small module with every part that a file can have. */
function moduleFile(layout: LayoutName = "H96"): Uint8Array {
  const builder = hostBuilder({ layout });
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(16).fill(7) });
  builder.section({ name: "other", type: 200, bytes: new Uint8Array(5).fill(9) });
  const symbol = builder.symbol({ name: "nothing", type: SymbolType.Function, size: 1 });
  for (const name of "abcdefgh") builder.symbol({ name, type: SymbolType.Function, defined: false });
  builder.relocation({ offset: 4096, symbol, type: 1 });
  return builder.build();
}

/** The same file with another hash, as whoever changes a file can calculate it. */
function withoutHash(bytes: Uint8Array): Uint8Array {
  const { header } = parseSmf(bytes), copy = bytes.slice();
  const [at, size] = LAYOUTS[header.layout].header.fields.module_hash;
  return copy.fill(0, header.offset + at, header.offset + at + size);
}

for (const layout of ["H72", "H80", "H96", "H96-trailer", "P128"] satisfies LayoutName[]) {
  Deno.test(`a signature covers every byte of a file in the layout ${layout}`, async () => {
    const signed = withoutHash(await signModule(moduleFile(layout), ONE.privateKey, { room: 1 }));
    const trust = trusting(ONE);
    assertEquals(trust.check(signed), [textOf(ONE)]);
    const file = parseSmf(signed);
    const { offset, size } = file.sections.find(({ type }) => type === SectionType.Signatures)!;
    const [hashAt, hashSize] = LAYOUTS[layout].header.fields.module_hash;
    const hash = file.header.offset + hashAt;
    let uncovered = 0;
    for (let at = 0; at < signed.length; at++) {
      const changed = signed.slice();
      changed[at] ^= 1;
      if (at >= hash && at < hash + hashSize) {
        uncovered++;
        // A hash that is wrong is another error; this one is of no known kind.
        continue;
      }
      const error = assertThrows(() => trust.check(changed), LoadError);
      const isSignature = at >= offset && at < offset + size;
      assert(["Untrusted", "InvalidFormat", "Unsupported"].includes(error.kind), `${at}: ${error.message}`);
      if (isSignature) assert(error.kind !== "Unsupported", error.message);
    }
    assertEquals(uncovered, 8);
  });
}

Deno.test("bytes in front of a file and behind it are covered, too", async () => {
  const signed = withoutHash(await signModule(moduleFile("H96-trailer"), ONE.privateKey));
  const behind = new Uint8Array(signed.length + 1);
  behind.set(signed);
  assertThrows(() => trusting(ONE).check(behind), LoadError);
});

Deno.test("signatures are added without harm to earlier ones; one key has one signature", async () => {
  const first = await signModule(moduleFile(), ONE.privateKey, { room: 2 });
  const both = await signModule(first, TWO.privateKey);
  assertEquals(first.length, both.length);
  assertEquals(trusting(ONE).check(both), [textOf(ONE)]);
  assertEquals(trusting(TWO).check(both), [textOf(TWO)]);
  assertEquals(trusting(THREE, TWO, ONE).check(both), [textOf(ONE), textOf(TWO)]);
  const again = await signModule(both, ONE.privateKey);
  assertEquals(readSignatures(parseSmf(again))!.signatures.map(({ key }) => publicKeyText(key)), [
    textOf(TWO),
    textOf(ONE),
  ]);
  assertEquals(parseSmf(again).checksum !== undefined, true);
  const full = await assertRejects(() => signModule(both, THREE.privateKey), LoadError);
  assertEquals([full.kind, full.data.range], ["Untrusted", [0, 3]]);
});

Deno.test("what is not trusted is said", async () => {
  const plain = moduleFile();
  const signed = await signModule(plain, ONE.privateKey);
  const trust = trusting(TWO, THREE), expected = `${textOf(TWO)} ${textOf(THREE)}`;
  assertStringIncludes(
    assertLoadError(() => trust.check(plain), "Untrusted", { expected }).message,
    "nobody has signed it",
  );
  assertStringIncludes(
    assertLoadError(() => trust.check(signed), "Untrusted", { expected, actual: textOf(ONE) }).message,
    "no trusted key has signed it",
  );
  assertLoadError(() => new TrustedKeys([]), "InvalidKey");
  assertLoadError(() => new TrustedKeys(["ed25519-AA=="]), "InvalidKey");
});

Deno.test("a file that was changed after it had been signed gets no further signature", async () => {
  const signed = withoutHash(await signModule(moduleFile(), ONE.privateKey));
  const file = parseSmf(signed);
  signed[file.sections.find(({ name }) => name === "data")!.offset] ^= 1;
  const error = await assertRejects(() => signModule(signed, TWO.privateKey), LoadError);
  assertEquals([error.kind, error.data.actual], ["Untrusted", textOf(ONE)]);
});

Deno.test("a file that is written again has no signatures", async () => {
  const plain = moduleFile();
  const signed = await signModule(plain, ONE.privateKey);
  assertEquals(SmfBuilder.from(parseSmf(signed)).build(), plain);
});

Deno.test("a key can be no key at all", () => {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) });
  const key = new Uint8Array(32).fill(0xff), signature = new Uint8Array(64);
  const bytes = signaturesBytes({ signatures: [{ key, signature }], room: 1 });
  builder.section({ name: ".signatures", type: SectionType.Signatures, bytes });
  const trust = new TrustedKeys([publicKeyText(key)]);
  assertStringIncludes(
    assertLoadError(() => trust.check(builder.build()), "Untrusted").message,
    "it was changed",
  );
});

Deno.test("a section of signatures that is anything else is refused", () => {
  const list = {
    signatures: [{ key: new Uint8Array(32).fill(1), signature: new Uint8Array(64).fill(2) }],
    room: 2,
  };
  const good = signaturesBytes(list);
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  const fileWith = (...sections: Uint8Array[]): Uint8Array => {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) });
    for (const bytes of sections) {
      builder.section({ name: ".signatures", type: SectionType.Signatures, alignment: 8, bytes });
    }
    return builder.build();
  };
  const cases: readonly (readonly [problem: string, offset: number, ...sections: Uint8Array[]])[] = [
    ["there are two sections of them", good.length, good, good],
    ["its size is not 8 and a multiple of 96", 0, new Uint8Array(7)],
    ["its size is not 8 and a multiple of 96", 0, good.slice(1)],
    ["there are fewer records than it says", 0, changed(0, 3)],
    ["there are fewer records than it says", 0, changed(3, 1)],
    ["it has a field that this version does not know", 4, changed(4, 1)],
    ["there are bytes behind the last signature", 8, changed(0, 0)],
    ["there are bytes behind the last signature", 199, changed(199, 1)],
  ];
  for (const [problem, offset, ...sections] of cases) {
    const file = parseSmf(fileWith(...sections));
    const start = file.sections.find(({ type }) => type === SectionType.Signatures)!.offset;
    const at = problem.includes("two") ? file.sections[2].offset : start + offset;
    const { message } = assertLoadError(() => readSignatures(file), "InvalidFormat", { offset: at });
    assertStringIncludes(message, problem);
  }
  assertEquals(readSignatures(parseSmf(fileWith(good))), list);
});

Deno.test("nothing else may use the bytes that nobody signs", () => {
  const fields = LAYOUTS.H96.section.fields, recordSize = LAYOUTS.H96.section.size;
  const original = moduleFile();
  const place = (section: number, offset: number, size: number): Uint8Array => {
    const builder = SmfBuilder.from(parseSmf(original));
    const bytes = signaturesBytes({ signatures: [], room: 1 });
    builder.section({ name: ".signatures", type: SectionType.Signatures, alignment: 8, bytes });
    const file = withoutHash(builder.build());
    const record = parseSmf(file).header.sectionTableOffset + section * recordSize;
    const view = new DataView(file.buffer);
    view.setBigUint64(record + fields.offset[0], BigInt(offset), true);
    view.setBigUint64(record + fields.size[0], BigInt(size), true);
    return file;
  };
  const file = parseSmf(place(3, 0, 104));
  const { sectionTableOffset, symbolTableOffset } = file.header;
  const other = file.sections.find(({ name }) => name === "other")!;
  for (
    const [part, offset] of [
      ["the header", 0],
      ["the section table", sectionTableOffset + 8],
      ["section 'other'", other.offset - 100],
      ["the symbols", symbolTableOffset - 100],
      ["the symbols", symbolTableOffset + 8],
    ] as const
  ) {
    const moved = parseSmf(place(3, offset, 104));
    const { message } = assertLoadError(() => readSignatures(moved), "InvalidFormat");
    assertStringIncludes(message, "it shares bytes with ", part);
  }
});
