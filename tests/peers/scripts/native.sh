#!/bin/bash
. $(dirname $0)/common.inc

# Without -B. the machine's own linker makes the library, which the module then needs.
echo 'int native(void) { return 6; }' | $CC -shared -fPIC -o $t/libnative.so -xc -
echo 'int native(void); int main(void) { return native() - 6; }' | $CC -fPIC -c -o $t/main.o -xc -
$CC -B. -o $t/exe $t/main.o $t/libnative.so -Wl,@/dev/null
$QEMU $t/exe
