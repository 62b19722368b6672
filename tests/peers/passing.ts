/** The scripts of mold 2.37.1 that pass, on Debian 12: `main.ts` says which of them fail later. */
export const PASSING: ReadonlySet<string> = new Set(
  `
    allow-multiple-definition ar-alignment arch-x86_64-address-equality
    arch-x86_64-exception-mcmodel-large arch-x86_64-function-multiversion arch-x86_64-ifunc-alias
    arch-x86_64-init-array arch-x86_64-init-array-readonly arch-x86_64-mergeable-records
    arch-x86_64-preinit-array arch-x86_64-reloc-zero arch-x86_64-section-alignment
    arch-x86_64-tls-gd-mcmodel-large arch-x86_64-tls-gd-to-ie arch-x86_64-tls-ld-mcmodel-large
    arch-x86_64-tls-module-base arch-x86_64-z-ibtplt bno-symbolic bsymbolic canonical-plt common-archive
    common-ref copyrel copyrel-relro copyrel-relro2 ctors-in-init-array defsym dependency-file
    dependency-file-response-file dt-init emit-relocs-dead-sections empty-file func-addr gnu-hash
    gnu-unique gnu-warning hash-style-sysv hello-dynamic hello-static hidden-archive icf-safe icf-small
    ifunc-alias ifunc-dynamic ifunc-funcptr ifunc-noplt ifunc-static ifunc-static-pie
    init-array-priorities issue646 large-alignment large-alignment-dso large-max-page-size large-text
    library linker-script2 linker-script3 linker-script5 linker-script6 many-sections mcmodel-large
    mergeable-strings missing-but-ok no-quick-exit pltgot protected range-extension-thunk
    range-extension-thunk2 range-extension-thunk3 relax-got-load reloc-rodata response-file
    response-file2 start-stop-symbol static-archive static-pie symbol-rank symbol-version4
    sysroot-linker-script tail-call tbss-only textrel textrel2 thin-archive thread-count tls-gd
    tls-gd-noplt tls-gd-to-ie tls-ie tls-irregular-start-addr tls-large-alignment tls-large-static-image
    tls-ld tls-ld-noplt tls-le tls-nopic tls-pic tls-small-alignment tlsdesc-import
    tlsdesc-local-dynamic tlsdesc-static trace verbose weak-undef weak-undef4 wrap z-now z-separate-code
  `.trim().split(/\s+/),
);
