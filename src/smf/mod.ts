/**
 * The SMF file format: reads, checks and writes module files as bytes. Needs no
 * permission, loads nothing, and works in every JavaScript runtime.
 *
 * `@simple/loader` exports {@linkcode parseSmf} and {@linkcode SmfBuilder} too;
 * everything else about the format is here only.
 *
 * @example Write a file, read it back
 * ```ts
 * import { parseSmf, SectionType, SmfBuilder, SymbolType } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const builder = new SmfBuilder();
 * builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) }); // ret
 * builder.symbol({ name: "nothing", type: SymbolType.Function, size: 1 });
 *
 * const file = parseSmf(builder.build());
 * assertEquals(file.header.layout, "H96");
 * assertEquals(file.symbols.find("nothing")?.size, 1);
 * ```
 *
 * @module
 */

export { LoadError, type LoadErrorData, type LoadErrorKind, type Report } from "../errors/load_error.ts";
export {
  type RelocationOptions,
  type RewriteOptions,
  type SectionOptions,
  SmfBuilder,
  type SmfBuilderOptions,
  type SymbolOptions,
} from "./builder.ts";

export {
  AppType,
  Arch,
  Binding,
  Compression,
  HeaderFlag,
  Platform,
  RelocationType,
  SectionFlag,
  SectionType,
  SymbolType,
} from "./enums.ts";
export { ModuleChecksum } from "./checksum.ts";
export { ParsedSmf, parseSmf, SmfFile } from "./file.ts";
export { hashName } from "./hash.ts";
export { type IntegrityAlgorithm, integrityOf } from "./integrity.ts";
export { type KeyPair, parsePublicKey, publicKeyText } from "./keys.ts";
export { makeKeys, signModule, type SignOptions } from "./sign.ts";
export type { ModuleSignature } from "./signatures.ts";
export { TrustedKeys } from "./trust.ts";
export type { SmfHeader } from "./header.ts";
export type { Entries, FunctionEntry } from "./entries.ts";
export type { Home } from "./homes.ts";
export type {
  ExtraHeaderField,
  Field,
  HeaderField,
  HeaderLayout,
  Layout,
  LayoutName,
  SectionLayout,
} from "./layout.ts";
export { RelocationTable, type SmfRelocation } from "./reloc.ts";
export type { SmfSection } from "./section.ts";
export type { Named } from "./symbol_hash_index.ts";
export { type SmfSymbol, SymbolTable, type SymbolTableSource } from "./symbol.ts";
export { type Survey, surveySmf } from "./survey.ts";
export { ModuleTypes } from "./types.ts";
export type {
  ArrayType,
  BaseEncoding,
  BaseType,
  DerivedType,
  EnumType,
  FunctionType,
  MemberPointerType,
  NamedType,
  RecordType,
  TypeBase,
  TypedAddress,
  TypeField,
  TypeGraph,
  TypeParameter,
  TypeRecord,
  UnknownType,
} from "../types/model.ts";
