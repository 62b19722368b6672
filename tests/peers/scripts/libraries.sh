#!/bin/bash
. $(dirname $0)/common.inc

echo 'int base(void) { return 40; }' | $CC -fPIC -c -o $t/base.o -xc -
echo 'int base(void); int middle(void) { return base() + 1; }' | $CC -fPIC -c -o $t/middle.o -xc -
echo '#include <stdio.h>
int middle(void);
int main(void) { printf("%d\n", middle() + 1); return 0; }' | $CC -fPIC -c -o $t/main.o -xc -
$CC -B. -shared -o $t/libbase.so $t/base.o
$CC -B. -shared -o $t/libmiddle.so $t/middle.o -L$t -lbase
$CC -B. -o $t/exe $t/main.o $t/libmiddle.so -Wl,-z,defs
$QEMU $t/exe | grep '^42$'
