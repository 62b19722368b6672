/**
 * Writes the source texts of calls through adapters, for their wrappers.
 */

import type { Adaptation } from "./adaptation.ts";
import { StringResult } from "./signature.ts";

/**
 * The source text of a call, as the statements of a function.
 *
 * @param cell The name of the cell. The parameters are `p0` and so on.
 * @param fallback The text of the call that serves arguments which the adapter does not take.
 * @param returning Writes the statements that return the value of an expression, once it is evaluated.
 */
export function adaptedSource(
  { parameters, result, resultBuffer, captureErrno }: Adaptation,
  cell: string,
  fallback: string,
  returning: (value: string) => string,
): string {
  let checks = `open&&${cell}.direct!==undefined`;
  /** Strings go to the stack last, when everything else was looked at. */
  let pushes = "";
  let names = "let r";
  const given: string[] = [];
  parameters.forEach((parameter, index) => {
    const name = `p${index}`;
    given.push(parameter.kind === "string" ? `s${index}` : name);
    if (parameter.kind === "number") checks += `&&safe(${name})${parameter.signed ? "" : `&&${name}>=0`}`;
    else if (parameter.kind === "struct") checks += `&&${name}?.byteLength>=${parameter.size}`;
    else if (parameter.kind === "string") {
      names += `,s${index}`;
      pushes += `&&(s${index}=scratch.push(${name}))>=0`;
    }
  });
  const call = (...more: string[]): string => `${cell}.direct(${[...given, ...more]})`;
  let value: string;
  if (result.kind === "plain") value = call();
  else if (result.kind === "number") value = `((r=${call()})===r?r:${cell}.beyond())`;
  else if (result.kind === "string") {
    value = `((r=${call()})>=0?scratch.text(r):r===${StringResult.NULL}?null:${cell}.beyond())`;
  } else if (resultBuffer === "new") value = `(r=new Bytes(${result.size}),${call("r")},r)`;
  else {
    const target = resultBuffer === "reused" ? `${cell}.reused` : `p${parameters.length}`;
    checks += `&&${target} instanceof Bytes&&${target}.byteLength>=${result.size}`;
    value = `(${call(target)},${target})`;
  }
  if (captureErrno) value = `({result:${value},errno:${cell}.errno[0]})`;
  if (pushes === "") return `${names};if(${checks}){${returning(value)}}return ${fallback}`;
  // A callback of the function may push more, and sets the top back before the function goes on.
  return `const top=scratch.top;${names};if(${checks}${pushes})try{${
    returning(value)
  }}finally{scratch.top=top}` +
    `scratch.top=top;return ${fallback}`;
}
